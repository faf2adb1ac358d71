# ab, which speaks HTTP/1.0, once for each call. Arguments: the addresses of a customer, of all customers and of the codeunit.
set -eu
customer=$1 customers=$2 tools=$3
once() {
    file=$1
    shift
    if [ -n "${API_KEY+set}" ]; then
        set -- -H "X-API-Key: $API_KEY" "$@"
    else
        set -- -A 'CONTOSO\till:secret' "$@"
    fi
    ab -n 1 -v 4 "$@" >"$file"
    grep --quiet '^Failed requests: *0$' "$file"
    ! grep '^Non-2xx' "$file"
}
once read "$customer"
once create -T 'application/json' -p customer.json "$customers"
once call -T 'text/xml; charset=utf-8' -H 'SOAPAction: Echo' -p echo.xml "$tools"
