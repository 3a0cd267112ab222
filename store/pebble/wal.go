package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A write-ahead log or manifest of Pebble is cut into blocks of 32 KiB and these into chunks, as its package record says:
//
//	checksum (4 bytes), size of the payload (2), encoding (1), and in write-ahead logs
//	log number (4), offset known to be synced (8, not with the older encodings), payload
//
// Where a log ends is not written down: Pebble reads up to the first chunk that is not good, as it is after a torn write,
// and takes what follows for leftovers. Both files are written one record at a time, the next when the one before is
// synced. So if another record begins behind a bad chunk, that chunk was whole once: it is damaged, and what Pebble would
// cut off had been acknowledged.

const (
	blockSize = 32 << 10
	minHeader = 7
)

// form says how a chunk of an encoding looks.
type form struct {
	header int
	log    bool // has a log number
	begins bool // a record, which is then in it whole or in part
}

var forms = [...]form{
	1: {7, false, true}, 2: {7, false, true}, 3: {7, false, false}, 4: {7, false, false},
	5: {11, true, true}, 6: {11, true, true}, 7: {11, true, false}, 8: {11, true, false},
	9: {19, true, true}, 10: {19, true, true}, 11: {19, true, false}, 12: {19, true, false},
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkAt returns the size of the chunk that b begins with, 0 if it is not good. number is that of the log, negative for a
// manifest.
func chunkAt(b []byte, number int64) (size int, begins bool) {
	if len(b) < minHeader || int(b[6]) >= len(forms) || b[6] == 0 {
		return 0, false
	}
	f := forms[b[6]]
	size = f.header + int(binary.LittleEndian.Uint16(b[4:]))
	if f.log != (number >= 0) || size > len(b) {
		return 0, false
	}
	if f.log && binary.LittleEndian.Uint32(b[7:]) != uint32(number) {
		return 0, false
	}
	sum := crc32.Checksum(b[6:size], castagnoli)
	if binary.LittleEndian.Uint32(b) != (sum>>15|sum<<17)+0xa282ead8 {
		return 0, false
	}
	return size, f.begins
}

// walk returns where the good chunks of a block end.
func walk(block []byte, number int64) int {
	for i := 0; ; {
		rest := block[i:]
		if len(block) == blockSize && (len(rest) < minHeader || len(rest) < 19 && zero(rest)) {
			return len(block) // the writer fills up what is too small for a chunk
		}
		size, _ := chunkAt(rest, number)
		if size == 0 {
			return i
		}
		i += size
	}
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// damage looks for a bad chunk with the beginning of a record behind it, and returns the places of both.
func damage(r io.Reader, number int64) (bad, behind int64, found bool, err error) {
	buf := make([]byte, blockSize)
	bad = -1
	for base := int64(0); ; base += blockSize {
		n, err := io.ReadFull(r, buf)
		if errors.Is(err, io.EOF) {
			return 0, 0, false, nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, 0, false, err
		}
		block, i := buf[:n], 0
		if bad < 0 {
			if i = walk(block, number); i == n {
				continue
			}
			bad = base + int64(i)
		}
		for ; i < n; i++ {
			if size, begins := chunkAt(block[i:], number); size > 0 && begins {
				return bad, base + int64(i), true, nil
			}
		}
	}
}

// inspect looks for damage in the newest write-ahead log and in the manifests of a directory. Older write-ahead logs were
// ended properly, and Pebble itself insists on that.
func inspect(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if oserror.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	newest, number := "", int64(-1)
	for _, name := range names {
		if digits, ok := strings.CutSuffix(name, ".log"); ok {
			if n, err := strconv.ParseInt(digits, 10, 64); err == nil && n > number {
				newest, number = name, n
			}
		}
		if strings.HasPrefix(name, "MANIFEST-") {
			if err := inspectFile(fs, fs.PathJoin(dir, name), -1); err != nil {
				return err
			}
		}
	}
	if newest == "" {
		return nil
	}
	return inspectFile(fs, fs.PathJoin(dir, newest), number)
}

func inspectFile(fs vfs.FS, path string, number int64) error {
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	bad, behind, found, err := damage(f, number)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if found {
		return corrupt(fmt.Errorf("%s is damaged at offset %d, before the record at %d", path, bad, behind))
	}
	return nil
}
