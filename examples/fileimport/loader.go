package fileimport

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Loader loads the lines of files into a table.
type Loader struct{ Table Table }

// Table takes rows. Between what was inserted and the last checkpoint that is kept there may be rows which are inserted
// again, so a row has a number, and a number that is there already changes nothing.
type Table interface {
	Insert(ctx context.Context, number int64, text string) error
}

// Definitions are what a runtime needs to import files.
func (l *Loader) Definitions() []workflow.Definition {
	return []workflow.Definition{Import, Load.Bind(l.Load)}
}

// Load begins at the last checkpoint of an earlier attempt.
func (l *Loader) Load(ctx context.Context, f File) (Report, error) {
	at, _ := activity.Checkpoint[Position](ctx)
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Report{}, activity.NonRetryable(fmt.Errorf("there is no file %s", f.Path))
	}
	if err != nil {
		return Report{}, err
	}
	defer file.Close()
	if _, err := file.Seek(at.Offset, io.SeekStart); err != nil {
		return Report{}, err
	}
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadString('\n')
		if err != nil && (err != io.EOF || line == "") {
			return Report{at.Rows}, ended(err)
		}
		if err := l.Table.Insert(ctx, at.Rows+1, strings.TrimRight(line, "\r\n")); err != nil {
			return Report{}, fmt.Errorf("row %d: %w", at.Rows+1, err)
		}
		at.Rows++
		at.Offset += int64(len(line))
		if err := activity.Heartbeat(ctx, at); err != nil {
			return Report{}, err
		}
	}
}

func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
