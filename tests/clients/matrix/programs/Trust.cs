using System.Net;
using System.Security.Cryptography.X509Certificates;

/// Takes the certificates of the authority in ca.pem, by its name: Mono builds no chain of ECDSA keys outside its own store. On Windows an
/// administrator imports the authority instead.
static class Trust
{
    public static void CaFile()
    {
        var authority = new X509Certificate2("ca.pem");
        ServicePointManager.ServerCertificateValidationCallback =
            (sender, certificate, chain, errors) => certificate.Issuer == authority.Subject;
    }
}
