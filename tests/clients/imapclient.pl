# Drives Mail::IMAPClient against a server; prints "all fine".
use strict;
use warnings;
use Mail::IMAPClient;

my ($port, $ssl, $user, $password, $ca, $proxy) = @ARGV;
my $c = Mail::IMAPClient->new(
	Server => 'localhost', Port => $port, User => $proxy // $user, Password => $password, Uid => 1,
	$ssl ? (Ssl => [ SSL_ca_file => $ca ]) : (Starttls => [ SSL_ca_file => $ca ]),
	$proxy ? (Authmechanism => 'PLAIN', Proxy => $user) : (),
) or die "connect: $@";

sub want { my ($ok, $what) = @_; $ok or die "$what: " . ($c->LastError // ''); $ok }

want($c->has_capability('UIDPLUS'), 'capability');
want($c->create('box'), 'create');
want($c->subscribe('box'), 'subscribe');
my $text = "From: a\@example.org\r\nSubject: from Perl\r\n\r\nhello\r\n";
my @uids = map { want($c->append_string('box', $text, '\Flagged', '17-Jul-1996 02:44:25 -0700'), 'append') } 1 .. 3;
want($c->select('box'), 'select');
want($c->message_count('box') == 3, 'message_count');
want("@{[$c->search('FLAGGED', 'SUBJECT', 'Perl')]}" eq "@uids", 'search');
want($c->message_string($uids[0]) eq $text, 'message_string');
want($c->get_header($uids[1], 'Subject') eq 'from Perl', 'get_header');
want($c->get_envelope($uids[1])->subject eq 'from Perl', 'get_envelope');
want($c->get_bodystructure($uids[1])->bodytype =~ /^text$/i, 'get_bodystructure');
want($c->see($uids[0]), 'see');
want((join ',', sort grep { $_ ne '\Recent' } $c->flags($uids[0])) eq '\Flagged,\Seen', 'flags');
want($c->copy('INBOX', $uids[0]), 'copy');
want($c->delete_message($uids[0], $uids[1]), 'delete_message');
want($c->expunge, 'expunge');
want($c->message_count('box') == 1, 'count after expunge');
my $tag = want($c->idle, 'idle');
want($c->done($tag), 'done');
want($c->rename("box", "box2"), "rename");
want($c->close, 'close');
want((grep { $_ eq 'INBOX' } $c->folders), 'folders');
want($c->delete('box2'), 'delete');
want($c->logout, 'logout');
print "all fine\n";
