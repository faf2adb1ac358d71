# curl as cron jobs call it. Arguments: the addresses of a customer, of all customers and of the codeunit, then options.
set -eu
customer=$1 customers=$2 tools=$3
shift 3
set -- --silent --show-error --fail --globoff --cacert ca.pem --user 'CONTOSO\till:secret' "$@"
curl "$@" --output read "$customer"
curl "$@" --output create --header 'Content-Type: application/json' --data-binary @customer.json "$customers"
curl "$@" --output call --header 'Content-Type: text/xml; charset=utf-8' \
    --header 'SOAPAction: "urn:microsoft-dynamics-schemas/codeunit/Tools:Echo"' --data-binary @echo.xml "$tools"
