<?php
// PHP's curl. Arguments: the addresses of a customer, of all customers and of the codeunit, and the name of a CURLAUTH_ constant.

[, $customer, $customers, $tools, $scheme] = $argv;

function call(string $file, string $address, array $options = []): void
{
    global $scheme;
    $curl = curl_init($address);
    curl_setopt_array($curl, $options + [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FAILONERROR => true,
        CURLOPT_HTTPAUTH => constant($scheme),
        CURLOPT_USERPWD => 'CONTOSO\till:secret',
        CURLOPT_CAINFO => 'ca.pem',
    ]);
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new RuntimeException(curl_error($curl));
    }
    file_put_contents($file, $answer);
}

call('read', $customer);
call('create', $customers, [
    CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    CURLOPT_POSTFIELDS => file_get_contents('customer.json'),
]);
call('call', $tools, [
    CURLOPT_HTTPHEADER => ['Content-Type: text/xml; charset=utf-8', 'SOAPAction: "urn:microsoft-dynamics-schemas/codeunit/Tools:Echo"'],
    CURLOPT_POSTFIELDS => file_get_contents('echo.xml'),
]);
