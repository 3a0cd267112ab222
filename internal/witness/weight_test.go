package witness

import (
	"encoding/base64"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// heavy is a weight that goes into a file beside the log, compressed as it may be.
const heavy = 100 << 10

// weigh makes a text heavier by some bytes that follow from it, so that nobody can give other ones. Weight 0 leaves it as it is.
func weigh(text string, weight int) string {
	if weight == 0 {
		return text
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(text))
	var seed [32]byte
	h.Sum(seed[:0])
	ballast := make([]byte, weight*3/4)
	_, _ = rand.NewChaCha8(seed).Read(ballast)
	return text + " " + base64.RawStdEncoding.EncodeToString(ballast)
}

// light is a text without its weight.
func light(text string) string {
	text, _, _ = strings.Cut(text, " ")
	return text
}

// genuine reports whether a text has the weight that it was given.
func genuine(text string) bool {
	name, ballast, weighs := strings.Cut(text, " ")
	return !weighs || weigh(name, len(ballast)) == text
}
