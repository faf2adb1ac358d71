using System;
using System.IO;
using System.Net;

/// HttpWebRequest. Arguments: the addresses of a customer, of all customers and of the codeunit.
static class HttpWebRequestClient
{
    static void Main(string[] arguments)
    {
        Trust.CaFile();
        Keep("read", To(arguments[0]));
        Keep("create", Post(arguments[1], "application/json", "customer.json"));
        var call = Post(arguments[2], "text/xml; charset=utf-8", "echo.xml", "Echo");
        Keep("call", call);
    }

    static HttpWebRequest To(string address)
    {
        var request = (HttpWebRequest)WebRequest.Create(address);
        var key = Environment.GetEnvironmentVariable("API_KEY");
        if (key == null)
            request.Credentials = new NetworkCredential("till", "secret", "CONTOSO");
        else
            request.Headers.Add("X-API-Key", key);
        return request;
    }

    static HttpWebRequest Post(string address, string type, string file, string action = null)
    {
        var request = To(address);
        request.Method = "POST";
        request.ContentType = type;
        if (action != null)
            request.Headers.Add("SOAPAction", action);
        var content = File.ReadAllBytes(file);
        request.ContentLength = content.Length;
        using (var body = request.GetRequestStream())
            body.Write(content, 0, content.Length);
        return request;
    }

    static void Keep(string file, HttpWebRequest request)
    {
        using (var answer = request.GetResponse())
        using (var output = File.Create(file))
            answer.GetResponseStream().CopyTo(output);
    }
}
