// httpntlm. Arguments: the addresses of a customer, of all customers and of the codeunit.
const { readFileSync, writeFileSync } = require('node:fs');
const { promisify } = require('node:util');
const httpntlm = require('httpntlm');

const [customer, customers, tools] = process.argv.slice(2);

async function call(method, file, url, headers, body) {
  const options = { url, headers, body, username: 'till', password: 'secret', domain: 'CONTOSO', workstation: 'TILL7', binary: true };
  const answer = await promisify(httpntlm[method].bind(httpntlm))(options);
  if (answer.statusCode >= 300) throw new Error(`${answer.statusCode}: ${answer.body}`);
  writeFileSync(file, answer.body);
}

(async () => {
  await call('get', 'read', customer);
  await call('post', 'create', customers, { 'Content-Type': 'application/json' }, readFileSync('customer.json'));
  const headers = { 'Content-Type': 'text/xml; charset=utf-8', SOAPAction: 'urn:microsoft-dynamics-schemas/codeunit/Tools:Echo' };
  await call('post', 'call', tools, headers, readFileSync('echo.xml'));
})();
