import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Trusts the authority in ca.pem and no other; administrators import it into the JVM's cacerts with keytool. */
class Trust {
    static void caFile() throws Exception {
        KeyStore store = empty();
        store.setCertificateEntry("ca", certificate("ca.pem"));
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(clientCertificate(), trust.getTrustManagers(), null);
        SSLContext.setDefault(context);
    }

    /** The program's own certificate, if it has one; administrators name a file with it in javax.net.ssl.keyStore. */
    static KeyManager[] clientCertificate() throws Exception {
        if (!Files.exists(Path.of("client.pem"))) {
            return null;
        }
        String pem = Files.readString(Path.of("client-key.pem")).replaceAll("-----[A-Z ]+-----", "");
        PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem)));
        KeyStore store = empty();
        store.setKeyEntry("client", key, new char[0], new Certificate[] {certificate("client.pem")});
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, new char[0]);
        return keys.getKeyManagers();
    }

    static KeyStore empty() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        return store;
    }

    static Certificate certificate(String file) throws Exception {
        try (FileInputStream content = new FileInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificate(content);
        }
    }
}
