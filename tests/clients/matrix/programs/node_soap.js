// node-soap. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and how it signs in: `basic` or `ntlm`.
const { readFileSync, writeFileSync } = require('node:fs');
const soap = require('soap');

const [pageWsdl, toolsWsdl, scheme] = process.argv.slice(2);

async function connect(wsdl) {
  const client = await soap.createClientAsync(wsdl);
  client.setSecurity(scheme === 'ntlm'
    ? new soap.NTLMSecurity({ username: 'till', password: 'secret', domain: 'CONTOSO', workstation: 'TILL7' })
    : new soap.BasicAuthSecurity('CONTOSO\\till', 'secret'));
  return client;
}

(async () => {
  const page = await connect(pageWsdl);
  const [found] = await page.ReadAsync({ No: '10000' });
  writeFileSync('read', found.Customer.Name);
  const [created] = await page.CreateAsync({ Customer: { No: 'NEW-1', Name: readFileSync('name', 'utf8') } });
  writeFileSync('create', created.Customer.Name);
  const tools = await connect(toolsWsdl);
  const [answer] = await tools.EchoAsync({ text: readFileSync('text', 'utf8') });
  writeFileSync('call', answer.return_value);
})();
