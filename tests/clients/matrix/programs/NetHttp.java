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
    static HttpClient client;

    public static void main(String[] arguments) throws Exception {
        Trust.caFile();
        client = HttpClient.newBuilder().authenticator(new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication("CONTOSO\\till", "secret".toCharArray());
            }
        }).build();
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
        return HttpRequest.newBuilder(URI.create(address));
    }

    static void keep(String file, HttpRequest.Builder request) throws Exception {
        HttpResponse<Path> answer = client.send(request.build(), BodyHandlers.ofFile(Path.of(file)));
        if (answer.statusCode() >= 300) {
            throw new Exception("status " + answer.statusCode());
        }
    }
}
