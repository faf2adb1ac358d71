<?php
// PHP's SoapClient with a user name. Arguments: the addresses of two WSDLs, a page's and a codeunit's.

[, $pageWsdl, $toolsWsdl] = $argv;
$key = getenv('API_KEY');
$context = ['ssl' => ['cafile' => 'ca.pem']];
$options = ['cache_wsdl' => WSDL_CACHE_NONE];
if ($key === false) {
    $options += ['login' => 'CONTOSO\till', 'password' => 'secret'];
} else {
    // For the WSDL and for calls.
    $context['http'] = ['header' => "X-API-Key: $key"];
}
$options['stream_context'] = stream_context_create($context);
$page = new SoapClient($pageWsdl, $options);
file_put_contents('read', $page->Read(['No' => '10000'])->Customer->Name);
$new = ['No' => 'NEW-1', 'Name' => file_get_contents('name')];
file_put_contents('create', $page->Create(['Customer' => $new])->Customer->Name);
$tools = new SoapClient($toolsWsdl, $options);
file_put_contents('call', $tools->Echo(['text' => file_get_contents('text')])->return_value);
