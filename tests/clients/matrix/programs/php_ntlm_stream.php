<?php
// PHP's SoapClient over curl with NTLM, in the two halves such programs are made of: `http://` becomes a stream that curl reads, for the
// WSDL and its imports; and calls go through curl. Arguments: the addresses of two WSDLs, a page's and a codeunit's.

function fetch(string $address, array $options = []): string
{
    $curl = curl_init($address);
    curl_setopt_array($curl, $options + [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FAILONERROR => true,
        CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
        CURLOPT_HTTPAUTH => CURLAUTH_NTLM,
        CURLOPT_USERPWD => 'CONTOSO\till:secret',
        CURLOPT_CAINFO => 'ca.pem',
    ]);
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new RuntimeException($address . ': ' . curl_error($curl));
    }
    return $answer;
}

class NtlmStream
{
    /** @var resource|null */
    public $context;
    private string $content;
    private int $position = 0;

    public function stream_open(string $path, string $mode, int $options, ?string &$opened): bool
    {
        $this->content = fetch($path);
        return true;
    }

    public function stream_read(int $count): string
    {
        $piece = substr($this->content, $this->position, $count);
        $this->position += strlen($piece);
        return $piece;
    }

    public function stream_eof(): bool
    {
        return $this->position >= strlen($this->content);
    }

    public function stream_stat(): array
    {
        return ['size' => strlen($this->content)];
    }

    public function url_stat(string $path, int $flags): array
    {
        return [];
    }
}

class NtlmSoapClient extends SoapClient
{
    public function __doRequest($request, $location, $action, $version, $oneWay = false): ?string
    {
        // The first of these is no header anybody knows; real programs send it all the same.
        $headers = [
            'Method: POST',
            'Connection: Keep-Alive',
            'User-Agent: PHP-SOAP-CURL',
            'Content-Type: text/xml; charset=utf-8',
            "SOAPAction: \"$action\"",
        ];
        return fetch($location, [CURLOPT_HTTPHEADER => $headers, CURLOPT_POST => true, CURLOPT_POSTFIELDS => $request]);
    }
}

[, $pageWsdl, $toolsWsdl] = $argv;
foreach (['http', 'https'] as $scheme) {
    stream_wrapper_unregister($scheme);
    stream_wrapper_register($scheme, NtlmStream::class);
}
$options = ['cache_wsdl' => WSDL_CACHE_NONE];
$page = new NtlmSoapClient($pageWsdl, $options);
file_put_contents('read', $page->Read(['No' => '10000'])->Customer->Name);
$new = ['No' => 'NEW-1', 'Name' => file_get_contents('name')];
file_put_contents('create', $page->Create(['Customer' => $new])->Customer->Name);
$tools = new NtlmSoapClient($toolsWsdl, $options);
file_put_contents('call', $tools->Echo(['text' => file_get_contents('text')])->return_value);
