package thumbnails_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/clewflow/clew/examples/thumbnails"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var album = thumbnails.Album{Pictures: []string{"boat.png", "missing.png", "notes.txt", "tower.png"}}

func TestPicturesAreScaledAndTheRestIsReported(t *testing.T) {
	into := dir(t)
	scaler := &thumbnails.Scaler{From: pictures(), Into: into, Side: 40}
	run := workflowtest.Run(t, thumbnails.Make, album, workflowtest.Use(scaler.Definitions()...))
	got, err := run.Result()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"boat.png", "tower.png"}; !slices.Equal(got.Thumbnails, want) {
		t.Errorf("made %q, want %q", got.Thumbnails, want)
	}
	if want := map[string]string{
		"missing.png": "there is no such picture", "notes.txt": "png: invalid format: not a PNG file",
	}; !maps.Equal(got.Failed, want) {
		t.Errorf("failed: %q, want %q", got.Failed, want)
	}
	for name, want := range map[string]image.Point{"boat.png": image.Pt(40, 20), "tower.png": image.Pt(1, 40)} {
		if got, err := size(into, name); got != want || err != nil {
			t.Errorf("%s is %v, %v, want %v", name, got, err, want)
		}
	}
	run.Golden("testdata/made.json")
}

func TestEightAreScaledAtOnce(t *testing.T) {
	var c counter
	run := workflowtest.Run(t, thumbnails.Make, many(20), workflowtest.Stub(thumbnails.Scale).Calls(c.scale))
	if got, err := run.Result(); len(got.Thumbnails) != 20 || err != nil {
		t.Errorf("made %v, %v", got.Thumbnails, err)
	}
	if c.most != 8 {
		t.Errorf("%d were scaled at once, want 8", c.most)
	}
	if run.Elapsed != 3*time.Second { // 8, 8 and 4
		t.Errorf("took %v", run.Elapsed)
	}
	run.Golden("testdata/many.json")
}

// What was scaled before the process died is not scaled again.
func TestACrashRepeatsOnlyWhatWasInHand(t *testing.T) {
	var c counter
	run := workflowtest.Run(t, thumbnails.Make, many(20),
		workflowtest.Stub(thumbnails.Scale).Calls(c.scale),
		workflowtest.At(1500*time.Millisecond, workflowtest.Crash),
	)
	if got, err := run.Result(); len(got.Thumbnails) != 20 || err != nil {
		t.Errorf("made %v, %v", got.Thumbnails, err)
	}
	if c.all != 20+8 {
		t.Errorf("scaled %d times, want 20 and the 8 that were in hand", c.all)
	}
}

func TestAPictureThatCannotBeScaledInTimeIsReported(t *testing.T) {
	slow := func(name string) bool { return name == "tower.png" }
	run := workflowtest.Run(t, thumbnails.Make, album,
		workflowtest.Stub(thumbnails.Scale).Always("t.png").
			When(slow).TimesOut().Fails(errors.New("the disk is full")).TimesOut())
	got, err := run.Result()
	if len(got.Thumbnails) != 3 || got.Failed["tower.png"] == "" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	run.Golden("testdata/slow.json")
}

func TestCancelLeavesTheRest(t *testing.T) {
	scale := workflowtest.Stub(thumbnails.Scale).
		Calls(func(ctx context.Context, name string) (string, error) {
			<-ctx.Done()
			return "", context.Cause(ctx)
		})
	run := workflowtest.Run(t, thumbnails.Make, many(20), scale, workflowtest.At(time.Second, workflowtest.Cancel))
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) {
		t.Errorf("err = %v, want %v", err, workflow.ErrCancelled)
	}
	if n := len(scale.Inputs()); n != 8 {
		t.Errorf("%d were begun, want 8", n)
	}
	run.Golden("testdata/cancelled.json")
}

func TestMeansAreThoseOfTheBox(t *testing.T) {
	checks := image.NewGray(image.Rect(3, 5, 7, 9)) // 4 × 4, not at the origin
	for i := range checks.Pix {
		checks.Pix[i] = uint8(i % 2 * 255)
	}
	small := thumbnails.Shrink(checks, 2)
	for i := range 4 {
		if got := color.GrayModel.Convert(small.At(i%2, i/2)); got != (color.Gray{127}) {
			t.Errorf("pixel %d is %v, want the mean of black and white", i, got)
		}
	}
	if thumbnails.Shrink(checks, 4) != image.Image(checks) {
		t.Error("what fits is changed")
	}
}

func TestAlbumsOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, thumbnails.Make, "testdata/*.json")
}

func many(n int) (a thumbnails.Album) {
	for i := range n {
		a.Pictures = append(a.Pictures, fmt.Sprintf("%02d.png", i))
	}
	return a
}

// counter scales in a second of the virtual clock, and counts how often that was begun, and how many went on at once.
type counter struct {
	mu             sync.Mutex
	all, now, most int
}

func (c *counter) scale(ctx context.Context, name string) (string, error) {
	c.mu.Lock()
	c.all, c.now = c.all+1, c.now+1
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	select {
	case <-time.After(time.Second):
		return name, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func pictures() fs.FS {
	paint := func(width, height int) *fstest.MapFile {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, width, height))); err != nil {
			panic(err) // it is written into memory
		}
		return &fstest.MapFile{Data: b.Bytes()}
	}
	return fstest.MapFS{
		"boat.png": paint(200, 100), "tower.png": paint(2, 300), "notes.txt": {Data: []byte("buy paint")},
	}
}

func dir(t *testing.T) *os.Root {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func size(in *os.Root, name string) (image.Point, error) {
	file, err := in.Open(name)
	if err != nil {
		return image.Point{}, err
	}
	defer file.Close()
	c, err := png.DecodeConfig(file)
	return image.Pt(c.Width, c.Height), err
}

func Example() {
	ctx := context.Background()
	name, err := os.MkdirTemp("", "thumbnails")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(name)
	into, err := os.OpenRoot(name)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer into.Close()

	scaler := &thumbnails.Scaler{From: pictures(), Into: into, Side: 40}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, scaler.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "summer", thumbnails.Make, album))
	fmt.Println(size(into, "boat.png"))
	// Output:
	// {[boat.png tower.png] map[missing.png:there is no such picture notes.txt:png: invalid format: not a PNG file]} <nil>
	// (40,20) <nil>
}
