// node-soap. Arguments: the addresses of two WSDLs, a page's and a codeunit's, and how it signs in: `basic` or `ntlm`.
const { readFileSync, writeFileSync } = require('node:fs');
const soap = require('soap');

const [pageWsdl, toolsWsdl, scheme] = process.argv.slice(2);

function signIn() {
  const { API_KEY } = process.env;
  if (API_KEY !== undefined) return { addHeaders: (headers) => Object.assign(headers, { 'X-API-Key': API_KEY }), toXML: () => '' };
  return scheme === 'ntlm'
    ? new soap.NTLMSecurity({ username: 'till', password: 'secret', domain: 'CONTOSO', workstation: 'TILL7' })
    : new soap.BasicAuthSecurity('CONTOSO\\till', 'secret');
}

async function connect(wsdl) {
  const security = signIn();
  // For the WSDL too, which is asked for before there is a client.
  const options = { wsdl_headers: {}, wsdl_options: {} };
  security.addHeaders(options.wsdl_headers);
  security.addOptions?.(options.wsdl_options);
  const client = await soap.createClientAsync(wsdl, options);
  client.setSecurity(security);
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
