package eventstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// authority signs certificates, as that of a company does.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	a.key = key
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.write(t, "ca.crt", "CERTIFICATE", der)
	return a
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	path := filepath.Join(a.dir, name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// issue makes a certificate that ends after a time, and returns the files of it.
func (a *authority) issue(t *testing.T, name string, ends time.Duration) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &private.PublicKey, a.key)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return a.write(t, name+".crt", "CERTIFICATE", der), a.write(t, name+".key", "EC PRIVATE KEY", secret)
}

// serve starts a server with a certificate that ends after a time, and returns its address.
func (a *authority) serve(t *testing.T, ends time.Duration, clients bool) (*fake, string) {
	cert, key := a.issue(t, "node", ends)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	c := &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients {
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		c.ClientCAs.AddCert(a.cert)
	}
	f := newFake(t, 1, grpc.Creds(credentials.NewTLS(c)))
	return f, f.nodes[0].address
}

func TestPrivateAuthority(t *testing.T) {
	a := newAuthority(t)
	f, address := a.serve(t, time.Hour, false)
	f.password = "se%cret"
	for _, way := range over {
		l := open(t, "esdb://clew:se%25cret@"+address+"?tlsCaFile="+a.dir+"/ca.crt", way.o)
		id := someID
		id.Workflow = way.name
		require.NoError(t, l.Append(t.Context(), id, storetest.NewStream(id).Next(1)...))
	}
	require.Len(t, followed(t, open(t, "esdb://clew:se%25cret@"+address+"?tlsVerifyCert=false", Options{}), position(0, 0), 2), 2)
}

// What cannot heal is told at once; Open does not go on trying.
func TestWrongCertificatesAreTold(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	_, good := a.serve(t, time.Hour, false)
	_, expired := a.serve(t, -time.Hour, false)
	_, strict := a.serve(t, time.Hour, true)
	plain := newFake(t, 1).nodes[0].address
	own, key := a.issue(t, "clew", time.Hour)
	o := Options{Timeout: time.Hour}
	for name, test := range map[string]struct{ url, in string }{
		"system's authorities":    {"esdb://" + good, "unknown authority"},
		"another authority":       {"esdb://" + good + "?tlsCaFile=" + other.dir + "/ca.crt", "certificate"},
		"in a cluster":            {"esdb://" + good + "," + good + "?tlsCaFile=" + other.dir + "/ca.crt", "certificate"},
		"expired":                 {"esdb://" + expired + "?tlsCaFile=" + a.dir + "/ca.crt", "expired"},
		"another host":            {"esdb://" + strings.Replace(good, "127.0.0.1", "localhost", 1) + "?tlsCaFile=" + a.dir + "/ca.crt", "localhost"},
		"no such file":            {"esdb://" + good + "?tlsCaFile=" + a.dir + "/none.crt", "none.crt"},
		"no authority in it":      {"esdb://" + good + "?tlsCaFile=" + key, "certificate"},
		"certificate, no key":     {"esdb://" + good + "?tlsCaFile=" + a.dir + "/ca.crt&userCertFile=" + own, "userKeyFile"},
		"key is no key":           {"esdb://" + good + "?tlsCaFile=" + a.dir + "/ca.crt&userCertFile=" + own + "&userKeyFile=" + own, "user's certificate"},
		"TLS with a plain server": {"esdb://" + plain, "handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), test.url, o)
			require.ErrorContains(t, err, test.in)
		})
	}
	l := open(t, "esdb://"+strict+"?tlsCaFile="+a.dir+"/ca.crt&userCertFile="+own+"&userKeyFile="+key, Options{})
	require.NoError(t, l.Append(t.Context(), someID, storetest.NewStream(someID).Next(1)...))
	_, err := Open(t.Context(), "esdb://"+strict+"?tlsCaFile="+a.dir+"/ca.crt", Options{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, store.ErrUnavailable, "no certificate of the user's")
}

func TestWhoMayNotIsToldAtOpen(t *testing.T) {
	f := newFake(t, 1)
	f.password = "right-secret"
	address := f.nodes[0].address
	for _, user := range []string{"clew:wrong-secret@", "other:right-secret@", ""} {
		_, err := Open(t.Context(), "esdb://"+user+address+"?tls=false", Options{Timeout: time.Hour})
		require.ErrorIs(t, err, store.ErrDenied)
		require.ErrorContains(t, err, "user")
	}
	open(t, "esdb://clew:right-secret@"+address+"?tls=false", Options{})
	f.mayReadAll = false
	_, err := Open(t.Context(), "esdb://clew:right-secret@"+address+"?tls=false", Options{Timeout: time.Hour})
	require.ErrorIs(t, err, store.ErrDenied)
	require.ErrorContains(t, err, "$all")
}

func TestPasswordsAreInNoErrorAndNoLog(t *testing.T) {
	const secret = "tr0ub4dor"
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f := newFake(t, 1)
	f.password = secret
	address := f.nodes[0].address
	for _, text := range []string{
		"esdb://clew:" + secret + "@" + address + "?tls=false",
		"esdb://clew:" + secret + "x@" + address + "?tls=false",
		"esdb://clew:" + secret + "@127.0.0.1:1?tls=false",
		"esdb://clew:" + secret + "@" + address + "?tls=maybe",
		"esdb://clew:" + secret + "@" + address + "/path",
		"esdb://clew:" + secret + "@host:port",
		"esdb://clew:" + secret + "@a:1,b:c",
		"esdb://clew:" + secret + "@" + address + "?nodePreference=none&x=y&tls=false",
		"esdb://clew:" + secret + "%@" + address,
		"esdb://clew:" + secret + "/x@" + address,
		"esdb://clew:" + secret + "?x@" + address,
		"esdb://clew:" + secret + "#x@" + address,
		"esdb://clew:a@" + secret + "@" + address + ":1:2",
		"esdb://:" + secret + "@" + address,
		"https://clew:" + secret + "@" + address,
		"clew:" + secret + "@" + address,
		"esdb://clew:" + secret + "@",
	} {
		l, err := Open(t.Context(), text, Options{Logger: log, Timeout: 50 * time.Millisecond})
		if err == nil {
			require.NoError(t, l.Close())
			continue
		}
		require.NotContains(t, err.Error(), secret, "%s", text)
	}
	require.NotContains(t, logged.String(), secret)
}

func TestDefaultPasswordIsRefused(t *testing.T) {
	var logged bytes.Buffer
	o := Options{Logger: slog.New(slog.NewTextHandler(&logged, nil)), Timeout: time.Millisecond}
	for _, user := range []string{"admin", "ops"} {
		_, err := Open(t.Context(), "esdb://"+user+":changeit@127.0.0.1:1", o)
		require.ErrorIs(t, err, store.ErrDenied)
		require.ErrorContains(t, err, "every new server")
	}
	require.Empty(t, logged.String())
	_, err := Open(t.Context(), "esdb://admin:changeit@127.0.0.1:1?tls=false", o)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Contains(t, logged.String(), "WARN")
	logged.Reset()
	o.AllowDefaultPassword = true
	_, err = Open(t.Context(), "esdb://admin:changeit@127.0.0.1:1", o)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Contains(t, logged.String(), "WARN")
}

func TestConnectionStrings(t *testing.T) {
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	a, err := parseAddress("esdb://me:"+url.PathEscape("p@:/?#%&")+"@one,two:22?tls=false&tlsCaFle=x&defaultDeadline=700&nodePreference=follower", false, log)
	require.NoError(t, err)
	require.Equal(t, []string{"one:2113", "two:22"}, a.seeds)
	require.True(t, a.gossip)
	require.Nil(t, a.tls)
	require.Equal(t, "me", a.config.Username)
	require.Equal(t, "p@:/?#%&", a.config.Password)
	require.Equal(t, 700*time.Millisecond, a.deadline())
	require.Contains(t, logged.String(), "tlsCaFle", "a word misspelt is told")
	a, err = parseAddress("esdb+discover://cluster.example", false, log)
	require.NoError(t, err)
	require.True(t, a.gossip)
	require.NotNil(t, a.tls)
	require.Equal(t, 5*time.Second, a.deadline())
	for _, bad := range []string{"", "esdb://", "esdb://a:b:c", "esdb://h?defaultDeadline=soon", "esdb://h?tls=maybe", "esdb://h?keepAliveInterval=-7"} {
		_, err := parseAddress(bad, false, log)
		require.Error(t, err, bad)
	}
	for _, root := range []string{"clew", "cl-ew.", ".", "$clew.", "clew/", "日."} {
		_, err := Open(t.Context(), "esdb://h", Options{Root: root})
		require.ErrorContains(t, err, "root", root)
	}
	require.Error(t, checkVersion("21.10.1"))
	require.Error(t, checkVersion("22.5.0"))
	for _, good := range []string{"22.6.0", "23.10.7", "26.2.0-alpha", "", "unknown"} {
		require.NoError(t, checkVersion(good))
	}
}
