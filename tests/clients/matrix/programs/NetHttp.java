import java.net.Authenticator;
import java.net.PasswordAuthentication;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;

/** java.net.http. Arguments: the addresses of a customer, of all customers and of the codeunit. */
class NetHttp {
    static final String KEY = System.getenv("API_KEY");

    static HttpClient client;

    public static void main(String[] arguments) throws Exception {
        Trust.caFile();
        HttpClient.Builder builder = HttpClient.newBuilder();
        if (KEY == null) {
            builder.authenticator(new Authenticator() {
                @Override
                protected PasswordAuthentication getPasswordAuthentication() {
                    return new PasswordAuthentication("CONTOSO\\till", "secret".toCharArray());
                }
            });
        }
        client = builder.build();
        keep("read", to(arguments[0]));
        keep("create", to(arguments[1])
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofFile(Path.of("customer.json"))));
        keep("call", to(arguments[2])
            .header("Content-Type", "text/xml; charset=utf-8")
            .header("SOAPAction", "Echo")
            .POST(BodyPublishers.ofFile(Path.of("echo.xml"))));
    }

    static HttpRequest.Builder to(String address) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(address));
        return KEY == null ? request : request.header("X-API-Key", KEY);
    }

    static void keep(String file, HttpRequest.Builder request) throws Exception {
        HttpResponse<Path> answer = client.send(request.build(), BodyHandlers.ofFile(Path.of(file)));
        if (answer.statusCode() >= 300) {
            throw new Exception("status " + answer.statusCode());
        }
    }
}
