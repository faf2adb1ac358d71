# Ruby's net/http. Arguments: the addresses of a customer, of all customers and of the codeunit.
require 'net/http'

customer, customers, tools = ARGV.map { |address| URI(address) }

def call(file, address, request)
  key = ENV['API_KEY']
  key ? request['X-API-Key'] = key : request.basic_auth('CONTOSO\\till', 'secret')
  tls = address.scheme == 'https'
  answer = Net::HTTP.start(address.host, address.port, nil, use_ssl: tls, ca_file: 'ca.pem') { |http| http.request(request) }
  answer.value
  File.binwrite(file, answer.body)
end

def post(address, file, headers)
  request = Net::HTTP::Post.new(address, headers)
  request.body = File.binread(file)
  request
end

call('read', customer, Net::HTTP::Get.new(customer))
call('create', customers, post(customers, 'customer.json', 'Content-Type' => 'application/json'))
headers = { 'Content-Type' => 'text/xml; charset=utf-8', 'SOAPAction' => 'Echo' }
call('call', tools, post(tools, 'echo.xml', headers))
