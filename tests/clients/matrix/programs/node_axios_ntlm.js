// axios-ntlm. Arguments: the addresses of a customer, of all customers and of the codeunit.
const { readFileSync, writeFileSync } = require('node:fs');
const { NtlmClient } = require('axios-ntlm');

const [customer, customers, tools] = process.argv.slice(2);
const { API_KEY } = process.env;
const user = API_KEY === undefined ? { username: 'till', password: 'secret', domain: 'CONTOSO' } : {};
const headers = API_KEY === undefined ? {} : { 'X-API-Key': API_KEY };
const client = NtlmClient(user, { responseType: 'arraybuffer', proxy: false, headers });

(async () => {
  writeFileSync('read', (await client.get(customer)).data);
  const json = { headers: { 'Content-Type': 'application/json' } };
  writeFileSync('create', (await client.post(customers, readFileSync('customer.json'), json)).data);
  const xml = { headers: { 'Content-Type': 'text/xml; charset=utf-8', SOAPAction: '"Echo"' } };
  writeFileSync('call', (await client.post(tools, readFileSync('echo.xml'), xml)).data);
})();
