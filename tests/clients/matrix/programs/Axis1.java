import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.namespace.QName;
import org.apache.axis.SimpleTargetedChain;
import org.apache.axis.client.Call;
import org.apache.axis.client.Service;
import org.apache.axis.configuration.SimpleProvider;
import org.apache.axis.transport.http.CommonsHTTPSender;
import org.apache.axis.transport.http.HTTPSender;
import org.apache.axis.message.MessageElement;
import org.apache.axis.message.SOAPBodyElement;
import org.w3c.dom.Element;

/**
 * Axis 1, whose stubs know their address from the day they were built. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and
 * what it sends with: `default` or `commons`.
 */
class Axis1 {
    static final String PAGE = "urn:microsoft-dynamics-schemas/page/customer";
    static final String TOOLS = "urn:microsoft-dynamics-schemas/codeunit/Tools";

    static final SimpleProvider configuration = new SimpleProvider();

    public static void main(String[] arguments) throws Exception {
        Trust.caFile();
        boolean commons = arguments[2].equals("commons");
        configuration.deployTransport("http", new SimpleTargetedChain(commons ? new CommonsHTTPSender() : new HTTPSender()));
        String page = arguments[0].replace("?wsdl", "");
        String tools = arguments[1].replace("?wsdl", "");
        SOAPBodyElement read = element(PAGE, "Read");
        text(read, "No", "10000");
        keep("read", call(page, read), "Name");
        SOAPBodyElement create = element(PAGE, "Create");
        MessageElement customer = new MessageElement(new QName(PAGE, "Customer"));
        text(customer, "No", "NEW-1");
        text(customer, "Name", Files.readString(Path.of("name")));
        create.addChild(customer);
        keep("create", call(page, create), "Name");
        SOAPBodyElement echo = element(TOOLS, "Echo");
        text(echo, "text", Files.readString(Path.of("text")));
        keep("call", call(tools, echo), "return_value");
    }

    static SOAPBodyElement element(String namespace, String name) {
        return new SOAPBodyElement(new QName(namespace, name));
    }

    static void text(MessageElement parent, String name, String value) throws Exception {
        MessageElement child = new MessageElement(new QName(parent.getNamespaceURI(), name));
        child.setValue(value);
        parent.addChild(child);
    }

    static Element call(String address, SOAPBodyElement operation) throws Exception {
        Call call = (Call) new Service(configuration).createCall();
        call.setTargetEndpointAddress(address);
        call.setUsername("CONTOSO\\till");
        call.setPassword("secret");
        call.setUseSOAPAction(true);
        call.setSOAPActionURI(operation.getNamespaceURI() + ":" + operation.getName());
        Object[] answer = ((java.util.Vector<?>) call.invoke(new Object[] {operation})).toArray();
        return ((SOAPBodyElement) answer[0]).getAsDOM();
    }

    static void keep(String file, Element answer, String name) throws Exception {
        Files.writeString(Path.of(file), answer.getElementsByTagNameNS("*", name).item(0).getTextContent());
    }
}
