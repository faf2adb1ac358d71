# curl as cron jobs call it. Arguments: the addresses of a customer, of all customers and of the codeunit, then options.
set -eu
customer=$1 customers=$2 tools=$3
shift 3
if [ -n "${API_KEY+set}" ]; then
    set -- --header "X-API-Key: $API_KEY" "$@"
else
    set -- --user 'CONTOSO\till:secret' "$@"
fi
if [ -e client.pem ]; then
    set -- --cert client.pem --key client-key.pem "$@"
fi
set -- --silent --show-error --fail --globoff --cacert ca.pem "$@"
curl "$@" --output read "$customer"
curl "$@" --output create --header 'Content-Type: application/json' --data-binary @customer.json "$customers"
curl "$@" --output call --header 'Content-Type: text/xml; charset=utf-8' \
    --header 'SOAPAction: "urn:microsoft-dynamics-schemas/codeunit/Tools:Echo"' --data-binary @echo.xml "$tools"
