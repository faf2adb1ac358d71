# SOAP::Lite without a WSDL. Arguments: the addresses of a page and of a codeunit, and whether connections are kept.
use strict;
use warnings;
use open qw(:std :encoding(UTF-8));
use SOAP::Lite;

my ($page, $tools, $keep_alive) = @ARGV;
$ENV{PERL_LWP_SSL_CA_FILE} = 'ca.pem';

my $key = $ENV{API_KEY};

sub SOAP::Transport::HTTP::Client::get_basic_credentials { return defined $key ? () : ('CONTOSO\\till', 'secret') }

sub client {
    my ($address, $namespace) = @_;
    $address =~ s/\?wsdl$//;
    my $client = SOAP::Lite->uri($namespace)->proxy($address, keep_alive => $keep_alive);
    $client->transport->default_header('X-API-Key' => $key) if defined $key;
    $client->on_action(sub { join ':', @_ });
    $client->on_fault(sub { my (undef, $answer) = @_; die ref $answer ? $answer->faultstring : $client->transport->status });
    # Business Central knows no prefix but the default one's namespace, and no xsi:type.
    return $client->autotype(0)->default_ns($namespace);
}

sub text { my ($name, $value) = @_; SOAP::Data->name($name)->type(string => $value)->attr({}) }

sub content {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!";
    local $/;
    return <$in>;
}

sub keep {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
}

my $customers = client($page, 'urn:microsoft-dynamics-schemas/page/customer');
keep('read', $customers->call('Read', text(No => '10000'))->valueof('//Customer/Name'));
my $new = SOAP::Data->name(Customer => \SOAP::Data->value(text(No => 'NEW-1'), text(Name => content('name'))));
keep('create', $customers->call('Create', $new)->valueof('//Customer/Name'));
my $codeunit = client($tools, 'urn:microsoft-dynamics-schemas/codeunit/Tools');
keep('call', $codeunit->call('Echo', text(text => content('text')))->valueof('//return_value'));
