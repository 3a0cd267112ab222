package eventstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/clewflow/clew/store"
)

// address is what a connection string says, in the words that the client of the server's makers has for it.
type address struct {
	config *esdb.Configuration
	seeds  []string    // host:port of the nodes that are asked first
	gossip bool        // the nodes tell which others there are
	tls    *tls.Config // nil: without
}

// settings are the keys that a connection string can have; others are told and passed over.
var settings = []string{
	"tls", "tlsVerifyCert", "tlsCaFile", "userCertFile", "userKeyFile", "nodePreference", "maxDiscoverAttempts",
	"discoveryInterval", "gossipTimeout", "keepAliveInterval", "keepAliveTimeout", "defaultDeadline",
}

// parseAddress reads a connection string. No error holds any part of the password, for which reason the name and the
// password are cut out before anything is parsed.
func parseAddress(text string, allowDefault bool, log *slog.Logger) (a address, err error) {
	bare, user, password, err := cutUser(text)
	if err != nil {
		return a, err
	}
	bare = keepKnown(bare, log)
	if a.config, err = esdb.ParseConnectionString(bare); err != nil {
		return a, fmt.Errorf("the connection string cannot be read, want esdb://name:password@host:2113?tls=true: %w", err)
	}
	a.config.Logger = esdb.NoopLogging()
	a.config.Username, a.config.Password = user, password
	if err := a.config.Validate(); err != nil {
		return a, err
	}
	if d := a.config.DefaultDeadline; d != nil && *d <= 0 {
		return a, errors.New("defaultDeadline is no number of milliseconds above 0")
	}
	a.gossip = a.config.DnsDiscover || len(a.config.GossipSeeds) > 0
	a.seeds = []string{a.config.Address}
	if len(a.config.GossipSeeds) > 0 {
		a.seeds = nil
	}
	for _, seed := range a.config.GossipSeeds {
		a.seeds = append(a.seeds, net.JoinHostPort(seed.Host, strconv.Itoa(int(seed.Port))))
	}
	if err := a.checkDefault(allowDefault, log); err != nil {
		return a, err
	}
	if !a.config.DisableTLS {
		a.tls, err = a.secure()
	}
	return a, err
}

// cutUser cuts the name and the password out of a connection string.
func cutUser(text string) (bare, user, password string, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return "", "", "", errors.New("the connection string does not begin with esdb:// or esdb+discover://")
	}
	hosts, query, hasQuery := strings.Cut(rest, "?")
	i := strings.LastIndexByte(hosts, '@')
	if i < 0 && strings.Contains(query, "@") { // what stands before may be half a password
		return "", "", "", errors.New(`the connection string has an "@" behind the first "?"; write "?" in a name or a password as %3F, and "@" in a setting as %40`)
	}
	if i < 0 {
		return text, "", "", nil
	}
	name, secret, _ := strings.Cut(hosts[:i], ":")
	if user, err = url.PathUnescape(name); err == nil {
		password, err = url.PathUnescape(secret)
	}
	if err != nil {
		return "", "", "", errors.New(`the name or the password in the connection string has a "%" that begins no %XX; write "%" as %25`)
	}
	if user == "" {
		return "", "", "", errors.New("the connection string has a password and no name of a user")
	}
	bare = scheme + "://" + hosts[i+1:]
	if hasQuery {
		bare += "?" + query
	}
	return bare, user, password, nil
}

// keepKnown takes out settings that are not known, so that a word misspelt does not pass in silence.
func keepKnown(text string, log *slog.Logger) string {
	head, query, ok := strings.Cut(text, "?")
	if !ok {
		return text
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(pair, "=")
		known := false
		for _, s := range settings {
			known = known || strings.EqualFold(s, key)
		}
		if known {
			kept = append(kept, pair)
		} else if key != "" {
			log.Warn("a setting of the connection string is not known and does nothing", "setting", key, "known", settings)
		}
	}
	if len(kept) == 0 {
		return head
	}
	return head + "?" + strings.Join(kept, "&")
}

// checkDefault refuses the password that every server has when it is new, except where there is nothing to protect.
func (a address) checkDefault(allowed bool, log *slog.Logger) error {
	c := a.config
	if c.Password != "changeit" || c.Username != "admin" && c.Username != "ops" {
		return nil
	}
	if !allowed && !c.DisableTLS {
		return fmt.Errorf("%w: the user %q has the password that every new server has; change it, or allow it in the options where there is nothing to protect", store.ErrDenied, c.Username)
	}
	log.Warn("the server's user has the password that every new server has; anybody can read and change what is stored", "user", c.Username)
	return nil
}

func (a address) secure() (*tls.Config, error) {
	c := &tls.Config{RootCAs: a.config.RootCAs, InsecureSkipVerify: a.config.SkipCertificateVerification, MinVersion: tls.VersionTLS12}
	if a.config.UserCertFile != "" {
		pair, err := tls.LoadX509KeyPair(a.config.UserCertFile, a.config.UserKeyFile)
		if err != nil {
			return nil, fmt.Errorf("the user's certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// deadline is how long one try of a call may take.
func (a address) deadline() time.Duration {
	if d := a.config.DefaultDeadline; d != nil {
		return *d
	}
	return 5 * time.Second
}

// patience is how long a node is given to say which others there are.
func (a address) patience() time.Duration {
	return min(max(time.Duration(a.config.GossipTimeout)*time.Second, time.Second), 5*time.Second)
}
