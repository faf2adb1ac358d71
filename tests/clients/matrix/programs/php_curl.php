<?php
// PHP's curl. Arguments: the addresses of a customer, of all customers and of the codeunit, and the name of a CURLAUTH_ constant.

[, $customer, $customers, $tools, $scheme] = $argv;
$key = getenv('API_KEY');

function call(string $file, string $address, array $headers = [], array $options = []): void
{
    global $scheme, $key;
    $user = [CURLOPT_HTTPAUTH => constant($scheme), CURLOPT_USERPWD => 'CONTOSO\till:secret'];
    $curl = curl_init($address);
    curl_setopt_array($curl, $options + ($key === false ? $user : []) + [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_FAILONERROR => true,
        CURLOPT_HTTPHEADER => $key === false ? $headers : [...$headers, "X-API-Key: $key"],
        CURLOPT_CAINFO => 'ca.pem',
    ]);
    $answer = curl_exec($curl);
    if ($answer === false) {
        throw new RuntimeException(curl_error($curl));
    }
    file_put_contents($file, $answer);
}

call('read', $customer);
call('create', $customers, ['Content-Type: application/json'], [CURLOPT_POSTFIELDS => file_get_contents('customer.json')]);
$headers = ['Content-Type: text/xml; charset=utf-8', 'SOAPAction: "urn:microsoft-dynamics-schemas/codeunit/Tools:Echo"'];
call('call', $tools, $headers, [CURLOPT_POSTFIELDS => file_get_contents('echo.xml')]);
