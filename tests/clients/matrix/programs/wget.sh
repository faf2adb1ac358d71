# wget as cron jobs call it. Arguments: the addresses of a customer, of all customers and of the codeunit, then options.
set -eu
customer=$1 customers=$2 tools=$3
shift 3
if [ -n "${API_KEY+set}" ]; then
    set -- --header="X-API-Key: $API_KEY" "$@"
else
    set -- --user='CONTOSO\till' --password=secret "$@"
fi
set -- --quiet --tries=1 --ca-certificate=ca.pem "$@"
wget "$@" --output-document=read "$customer"
wget "$@" --output-document=create --header='Content-Type: application/json' --post-file=customer.json "$customers"
wget "$@" --output-document=call --header='Content-Type: text/xml; charset=utf-8' \
    --header='SOAPAction: urn:microsoft-dynamics-schemas/codeunit/Tools:Echo' --post-file=echo.xml "$tools"
