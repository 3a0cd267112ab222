package thumbnails

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Scaler makes thumbnails of PNG files.
type Scaler struct {
	From fs.FS
	Into *os.Root
	Side int // of the square that a thumbnail fits in
}

// Definitions are what a runtime needs to make thumbnails.
func (s *Scaler) Definitions() []workflow.Definition {
	return []workflow.Definition{Make, Scale.Bind(s.Scale)}
}

// Scale makes a thumbnail, which has the name of its picture. It is safe to repeat: the file is there whole or not at all.
func (s *Scaler) Scale(ctx context.Context, name string) (string, error) {
	picture, err := s.read(name)
	if err != nil {
		return "", err
	}
	unfinished := fmt.Sprintf("%s.%d", name, activity.Info(ctx).Number)
	if err := s.write(unfinished, Shrink(picture, s.Side)); err != nil {
		return "", err
	}
	return name, s.Into.Rename(unfinished, name)
}

// read reads a picture. What is not there, or no picture, will not be one at the next attempt.
func (s *Scaler) read(name string) (image.Image, error) {
	file, err := s.From.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, activity.NonRetryable(errors.New("there is no such picture"))
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if wrong := png.FormatError(""); errors.As(err, &wrong) {
		return nil, activity.NonRetryable(err)
	}
	return picture, err
}

func (s *Scaler) write(name string, picture image.Image) error {
	file, err := s.Into.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(file, picture), file.Sync(), file.Close())
}

// Shrink scales a picture down until it fits in a square: each new pixel is the mean of those that it stands for.
func Shrink(picture image.Image, side int) image.Image {
	from := picture.Bounds()
	longer := max(from.Dx(), from.Dy())
	if longer <= side {
		return picture
	}
	small := image.NewNRGBA64(image.Rect(0, 0, max(1, from.Dx()*side/longer), max(1, from.Dy()*side/longer)))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			small.Set(x, y, mean(picture, image.Rect(
				from.Min.X+x*from.Dx()/small.Rect.Dx(), from.Min.Y+y*from.Dy()/small.Rect.Dy(),
				from.Min.X+(x+1)*from.Dx()/small.Rect.Dx(), from.Min.Y+(y+1)*from.Dy()/small.Rect.Dy())))
		}
	}
	return small
}

func mean(picture image.Image, box image.Rectangle) color.Color {
	var r, g, b, a uint64
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			pr, pg, pb, pa := picture.At(x, y).RGBA()
			r, g, b, a = r+uint64(pr), g+uint64(pg), b+uint64(pb), a+uint64(pa)
		}
	}
	n := uint64(box.Dx() * box.Dy()) // not 0: there are more pixels than before in neither direction
	return color.RGBA64{uint16(r / n), uint16(g / n), uint16(b / n), uint16(a / n)}
}
