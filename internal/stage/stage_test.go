package stage_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/internal/stage"
)

func TestGoroutinesGoOnInTheOrderOfTheDirector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage.New[string]()
		var said []string
		for _, step := range []uint64{10, 2, 30} {
			go func() {
				word, err := s.Wait(t.Context(), stage.Place{Step: step})
				assert.NoError(t, err)
				said = append(said, word) // one at a time
			}()
		}
		synctest.Wait()
		assert.Equal(t, []stage.Place{{Step: 2}, {Step: 10}, {Step: 30}}, s.Waiting())
		for _, p := range []struct {
			step uint64
			word string
		}{{10, "ten"}, {2, "two"}, {30, "thirty"}} {
			s.Let(stage.Place{Step: p.step}, p.word)
			synctest.Wait()
		}
		synctest.Wait()
		assert.Equal(t, []string{"ten", "two", "thirty"}, said)
		assert.Empty(t, s.Waiting())
	})
}

func TestWhoseContextEndsWaitsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage.New[int]()
		died := errors.New("died")
		ctx, die := context.WithCancelCause(t.Context())
		var err error
		go func() { _, err = s.Wait(ctx, stage.Place{What: "a"}) }()
		synctest.Wait()
		<-s.News()
		die(died)
		synctest.Wait()
		assert.ErrorIs(t, err, died)
		assert.Empty(t, s.Waiting())
		_, err = s.Wait(ctx, stage.Place{What: "b"})
		assert.ErrorIs(t, err, died, "nor begins to")
	})
}
