package esdbtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// CA is the certificate of the authority that has signed the server's, in PEM; nil without TLS.
func (s *Server) CA() []byte { return s.ca }

// certify makes an authority, and a certificate of the server by it. Neither outlives the process.
func (s *Server) certify() error {
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "esdbtest"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	s.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	own := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if der, err = x509.CreateCertificate(rand.Reader, own, authority, &key.PublicKey, caKey); err != nil {
		return err
	}
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	return nil
}

// admit finds out who calls and whether this node may answer.
func (n *node) admit(ctx context.Context) (User, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	user := User{ReadAll: true}
	if len(n.options.Users) > 0 {
		name, password := credentialsOf(md.Get("authorization"))
		known, ok := n.options.Users[name]
		if !ok || known.Password != password {
			return user, refuse(ctx, codes.Unauthenticated, "who are you?")
		}
		user = known
	}
	if len(md.Get("requires-leader")) == 0 {
		return user, nil
	}
	switch leader := n.leads(); {
	case leader == n.index:
		return user, nil
	case leader < 0:
		return user, refuse(ctx, codes.Unavailable, "Server Is Not Ready")
	default:
		host, port, _ := net.SplitHostPort(n.nodes[leader].address)
		return user, refuse(ctx, codes.NotFound, "Leader info available", "exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port)
	}
}

func credentialsOf(header []string) (name, password string) {
	if len(header) != 1 {
		return "", ""
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header[0], "Basic "))
	if err != nil {
		return "", ""
	}
	name, password, _ = strings.Cut(string(plain), ":")
	return name, password
}
