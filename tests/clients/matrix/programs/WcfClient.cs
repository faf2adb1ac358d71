using System;
using System.IO;
using System.Net;
using System.ServiceModel;
using System.Xml.Serialization;

/// A WCF client with contracts as svcutil.exe writes them. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and the name
/// of an HttpClientCredentialType.
static class WcfClient
{
    static void Main(string[] arguments)
    {
        Trust.CaFile();
        var page = Connect<Customer_Port>(arguments[0], arguments[2]);
        File.WriteAllText("read", page.Read(new Read { No = "10000" }).Customer.Name);
        var customer = new Customer { No = "NEW-1", Name = File.ReadAllText("name") };
        File.WriteAllText("create", page.Create(new Create { Customer = customer }).Customer.Name);
        var tools = Connect<Tools_Port>(arguments[1], arguments[2]);
        File.WriteAllText("call", tools.Echo(new Echo { text = File.ReadAllText("text") }).return_value);
    }

    static T Connect<T>(string wsdl, string credentials)
    {
        var address = new Uri(wsdl.Replace("?wsdl", ""));
        var tls = address.Scheme == "https";
        var binding = new BasicHttpBinding(tls ? BasicHttpSecurityMode.Transport : BasicHttpSecurityMode.TransportCredentialOnly);
        binding.Security.Transport.ClientCredentialType =
            (HttpClientCredentialType)Enum.Parse(typeof(HttpClientCredentialType), credentials);
        binding.MaxReceivedMessageSize = 1 << 20;
        binding.ReaderQuotas.MaxStringContentLength = 1 << 20;
        var factory = new ChannelFactory<T>(binding, new EndpointAddress(address));
        factory.Credentials.UserName.UserName = "CONTOSO\\till";
        factory.Credentials.UserName.Password = "secret";
        factory.Credentials.Windows.ClientCredential = new NetworkCredential("till", "secret", "CONTOSO");
        return factory.CreateChannel();
    }
}

static class Spaces
{
    public const string Page = "urn:microsoft-dynamics-schemas/page/customer";
    public const string Tools = "urn:microsoft-dynamics-schemas/codeunit/Tools";
}

[ServiceContract(Namespace = Spaces.Page)]
interface Customer_Port
{
    [OperationContract(Action = Spaces.Page + ":Read", ReplyAction = "*")]
    [XmlSerializerFormat]
    Read_Result Read(Read request);

    [OperationContract(Action = Spaces.Page + ":Create", ReplyAction = "*")]
    [XmlSerializerFormat]
    Create_Result Create(Create request);
}

[ServiceContract(Namespace = Spaces.Tools)]
interface Tools_Port
{
    [OperationContract(Action = Spaces.Tools + ":Echo", ReplyAction = "*")]
    [XmlSerializerFormat]
    Echo_Result Echo(Echo request);
}

[XmlType(Namespace = Spaces.Page)]
public class Customer
{
    public string Key;
    public string No;
    public string Name;
}

[MessageContract(WrapperName = "Read", WrapperNamespace = Spaces.Page)]
public class Read
{
    [MessageBodyMember(Namespace = Spaces.Page)]
    public string No;
}

[MessageContract(WrapperName = "Read_Result", WrapperNamespace = Spaces.Page)]
public class Read_Result
{
    [MessageBodyMember(Namespace = Spaces.Page)]
    public Customer Customer;
}

[MessageContract(WrapperName = "Create", WrapperNamespace = Spaces.Page)]
public class Create
{
    [MessageBodyMember(Namespace = Spaces.Page)]
    public Customer Customer;
}

[MessageContract(WrapperName = "Create_Result", WrapperNamespace = Spaces.Page)]
public class Create_Result
{
    [MessageBodyMember(Namespace = Spaces.Page)]
    public Customer Customer;
}

[MessageContract(WrapperName = "Echo", WrapperNamespace = Spaces.Tools)]
public class Echo
{
    [MessageBodyMember(Namespace = Spaces.Tools)]
    public string text;
}

[MessageContract(WrapperName = "Echo_Result", WrapperNamespace = Spaces.Tools)]
public class Echo_Result
{
    [MessageBodyMember(Namespace = Spaces.Tools)]
    public string return_value;
}
