using System;
using System.IO;
using System.Net;
using System.Web.Services;
using System.Web.Services.Protocols;
using System.Xml.Serialization;

/// A proxy as wsdl.exe writes it from a Web Reference. Arguments: the addresses of two WSDLs, a page's and a codeunit's.
static class AsmxProxy
{
    static void Main(string[] arguments)
    {
        Trust.CaFile();
        var credentials = new NetworkCredential("till", "secret", "CONTOSO");
        var page = new CustomerPage { Url = arguments[0].Replace("?wsdl", ""), Credentials = credentials };
        File.WriteAllText("read", page.Read("10000").Name);
        var customer = new Customer { No = "NEW-1", Name = File.ReadAllText("name") };
        page.Create(ref customer);
        File.WriteAllText("create", customer.Name);
        var tools = new Tools { Url = arguments[1].Replace("?wsdl", ""), Credentials = credentials };
        File.WriteAllText("call", tools.Echo(File.ReadAllText("text")));
    }
}

/// What a program derives its proxies from if it has a header to add.
public class Proxy : SoapHttpClientProtocol
{
    protected override WebRequest GetWebRequest(Uri address)
    {
        var request = base.GetWebRequest(address);
        var key = Environment.GetEnvironmentVariable("API_KEY");
        if (key != null)
        {
            request.Credentials = null;
            request.Headers.Add("X-API-Key", key);
        }
        return request;
    }
}

[XmlType(Namespace = CustomerPage.Space)]
public class Customer
{
    public string Key;
    public string No;
    public string Name;
}

[WebServiceBinding(Name = "Customer_Binding", Namespace = Space)]
public class CustomerPage : Proxy
{
    public const string Space = "urn:microsoft-dynamics-schemas/page/customer";

    [SoapDocumentMethod(Space + ":Read", RequestNamespace = Space, ResponseElementName = "Read_Result", ResponseNamespace = Space)]
    [return: XmlElement("Customer")]
    public Customer Read(string No)
    {
        return (Customer)Invoke("Read", new object[] { No })[0];
    }

    [SoapDocumentMethod(Space + ":Create", RequestNamespace = Space, ResponseElementName = "Create_Result", ResponseNamespace = Space)]
    public void Create(ref Customer Customer)
    {
        Customer = (Customer)Invoke("Create", new object[] { Customer })[0];
    }
}

[WebServiceBinding(Name = "Tools_Binding", Namespace = Space)]
public class Tools : Proxy
{
    public const string Space = "urn:microsoft-dynamics-schemas/codeunit/Tools";

    [SoapDocumentMethod(Space + ":Echo", RequestNamespace = Space, ResponseElementName = "Echo_Result", ResponseNamespace = Space)]
    [return: XmlElement("return_value")]
    public string Echo(string text)
    {
        return (string)Invoke("Echo", new object[] { text })[0];
    }
}
