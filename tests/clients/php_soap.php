<?php
// A program on PHP's SoapClient. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and a text. Prints what it saw.

class Recording extends SoapClient
{
    public static array $addresses = [];

    public function __doRequest($request, $location, $action, $version, $oneWay = false): ?string
    {
        self::$addresses[] = $location;
        return parent::__doRequest($request, $location, $action, $version, $oneWay);
    }
}

function seen(stdClass $customer): array
{
    return [$customer->No, $customer->Name, $customer->Home_Page ?? null, $customer->Note ?? null];
}

[, $pageWsdl, $codeunitWsdl, $text] = $argv;
$options = ['cache_wsdl' => WSDL_CACHE_NONE, 'soap_version' => SOAP_1_1, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS];
$page = new Recording($pageWsdl, $options);
$tools = new Recording($codeunitWsdl, $options);

$customers = [];
$bookmark = null;
$filter = [['Field' => 'No', 'Criteria' => '10000..10240']];
do {
    $result = $page->ReadMultiple(['filter' => $filter, 'bookmarkKey' => $bookmark, 'setSize' => 10]);
    $found = $result->ReadMultiple_Result->Customer ?? [];
    $customers = [...$customers, ...$found];
    $bookmark = $found ? end($found)->Key : null;
} while ($found);

$new = ['No' => 'NEW-1', 'Name' => $text, 'Home_Page' => $customers[1]->Home_Page, 'Credit_Limit_LCY' => 12.5];
$created = $page->Create(['Customer' => $new])->Customer;
$read = $page->Read(['No' => 'NEW-1'])->Customer;
$updated = $page->Update(['Customer' => ['Key' => $created->Key, 'Name' => $text . '!']])->Customer;
echo json_encode([
    'read' => seen($page->Read(['No' => '10020'])->Customer),
    'customers' => array_map(seen(...), $customers),
    'created' => seen($read),
    'updated' => seen($updated),
    'deleted' => $page->Delete(['Key' => $updated->Key])->Delete_Result,
    'gone' => !isset($page->Read(['No' => 'NEW-1'])->Customer),
    'echo' => $tools->Echo(['text' => $text])->return_value,
    'posted' => $tools->PostOrder(['no' => 'S-ORD101001'])->return_value,
    'addresses' => Recording::$addresses,
], JSON_THROW_ON_ERROR);
