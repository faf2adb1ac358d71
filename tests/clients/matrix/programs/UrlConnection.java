import java.io.InputStream;
import java.io.OutputStream;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.PasswordAuthentication;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;

/** HttpURLConnection. Arguments: the addresses of a customer, of all customers and of the codeunit, and `buffered` or `chunked`. */
class UrlConnection {
    static final String KEY = System.getenv("API_KEY");

    public static void main(String[] arguments) throws Exception {
        Trust.caFile();
        // A rejected password is tried again this often; the default is 20.
        System.setProperty("http.maxRedirects", "5");
        if (KEY == null) {
            Authenticator.setDefault(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication("CONTOSO\\till", "secret".toCharArray());
                }
            });
        }
        boolean chunked = arguments[3].equals("chunked");
        keep("read", connect(arguments[0]));
        HttpURLConnection create = connect(arguments[1]);
        create.setRequestProperty("Content-Type", "application/json");
        post(create, "customer.json", chunked);
        keep("create", create);
        HttpURLConnection call = connect(arguments[2]);
        call.setRequestProperty("Content-Type", "text/xml; charset=utf-8");
        call.setRequestProperty("SOAPAction", "\"\"");
        post(call, "echo.xml", chunked);
        keep("call", call);
    }

    static HttpURLConnection connect(String address) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(address).openConnection();
        if (KEY != null) {
            connection.setRequestProperty("X-API-Key", KEY);
        }
        return connection;
    }

    static void post(HttpURLConnection connection, String file, boolean chunked) throws Exception {
        connection.setDoOutput(true);
        if (chunked) {
            connection.setChunkedStreamingMode(0);
        }
        try (OutputStream body = connection.getOutputStream()) {
            Files.copy(Path.of(file), body);
        }
    }

    static void keep(String file, HttpURLConnection connection) throws Exception {
        try (InputStream answer = connection.getInputStream()) {
            Files.copy(answer, Path.of(file));
        }
    }
}
