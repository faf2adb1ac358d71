using System.Net;
using System.Security.Cryptography.X509Certificates;

/// Trusts the authority in ca.pem and no other; administrators import it into the machine's store.
static class Trust
{
    public static void CaFile()
    {
        var authority = new X509Certificate2("ca.pem");
        ServicePointManager.ServerCertificateValidationCallback = (sender, certificate, chain, errors) =>
        {
            chain.ChainPolicy.ExtraStore.Add(authority);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;
            var valid = chain.Build(new X509Certificate2(certificate));
            var last = chain.ChainElements[chain.ChainElements.Count - 1].Certificate;
            return valid && last.Thumbprint == authority.Thumbprint;
        };
    }
}
