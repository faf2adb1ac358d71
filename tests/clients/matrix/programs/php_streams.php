<?php
// PHP's file_get_contents. Arguments: the addresses of a customer, of all customers and of the codeunit.

[, $customer, $customers, $tools] = $argv;

function call(string $file, string $address, array $headers = [], ?string $body = null): void
{
    $key = getenv('API_KEY');
    $headers[] = $key === false ? 'Authorization: Basic ' . base64_encode('CONTOSO\till:secret') : "X-API-Key: $key";
    $request = ['header' => $headers] + ($body === null ? [] : ['method' => 'POST', 'content' => $body]);
    $context = stream_context_create(['http' => $request, 'ssl' => ['cafile' => 'ca.pem']]);
    $answer = file_get_contents($address, false, $context);
    if ($answer === false) {
        exit(1);
    }
    file_put_contents($file, $answer);
}

call('read', $customer);
call('create', $customers, ['Content-Type: application/json'], file_get_contents('customer.json'));
call('call', $tools, ['Content-Type: text/xml; charset=utf-8', 'SOAPAction: "Echo"'], file_get_contents('echo.xml'));
