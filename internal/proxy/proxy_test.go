package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// The tests run in bubbles, with connections in memory. So "nothing passes" is seen when all goroutines wait, without a clock, and a
// bubble does not end well before all that was started in it has ended: that is the check for goroutines that are left behind.

// door is a listener in memory.
type door struct {
	callers chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newDoor() *door { return &door{callers: make(chan net.Conn), closed: make(chan struct{})} }

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.callers:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

func (d *door) Addr() net.Addr { return &net.TCPAddr{} }

// call connects to a door.
func (d *door) call() net.Conn {
	mine, its := net.Pipe()
	d.callers <- its
	return mine
}

// echo answers each line with itself.
func echo(c net.Conn) {
	defer c.Close()
	for lines := bufio.NewScanner(c); lines.Scan(); {
		fmt.Fprintln(c, lines.Text())
	}
}

func toEcho(context.Context) (net.Conn, error) {
	its, servers := net.Pipe()
	go echo(servers)
	return its, nil
}

// talk sends lines, and gives what is answered. It ends with the connection.
func talk(c net.Conn) (say chan<- string, heard <-chan string) {
	out, in := make(chan string), make(chan string, 16)
	go func() {
		for line := range out {
			fmt.Fprintln(c, line)
		}
	}()
	go func() {
		defer close(in)
		for lines := bufio.NewScanner(c); lines.Scan(); {
			in <- lines.Text()
		}
	}()
	return out, in
}

func TestWhatIsHeldUpPassesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		p := between(d, toEcho)
		c := d.call()
		say, heard := talk(c)
		defer close(say)
		say <- "one"
		require.Equal(t, "one", <-heard)

		p.Stall()
		p.Stall() // once is as good as twice
		say <- "two"
		synctest.Wait()
		require.Empty(t, heard, "nothing passes")
		p.Resume()
		require.Equal(t, "two", <-heard)

		require.NoError(t, p.Close())
		_, open := <-heard
		require.False(t, open, "Close has ended the connection")
	})
}

func TestWhatIsCutIsBrokenUntilItIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		p := between(d, toEcho)
		say, heard := talk(d.call())
		defer close(say)
		say <- "one"
		require.Equal(t, "one", <-heard)

		p.Cut()
		_, open := <-heard
		require.False(t, open)
		_, err := d.call().Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "so is who calls now")

		p.Heal()
		sayAgain, heardAgain := talk(d.call())
		defer close(sayAgain)
		sayAgain <- "two"
		require.Equal(t, "two", <-heardAgain)
		require.NoError(t, p.Close())
	})
}

func TestWhatIsHeldUpCanBeCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		p := between(d, toEcho)
		say, heard := talk(d.call())
		defer close(say)
		p.Stall()
		say <- "one"
		synctest.Wait()
		p.Cut()
		_, open := <-heard
		require.False(t, open)
		require.NoError(t, p.Close(), "though nobody has called Resume")
	})
}

// deaf is a server that never takes a connection.
func deaf(dialling chan<- struct{}) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		dialling <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestCloseWaitsForNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, dialling := newDoor(), make(chan struct{})
		p := between(d, deaf(dialling))
		c := d.call()
		<-dialling
		require.NoError(t, p.Close())
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestCutEndsWhatIsBeingMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, dialling := newDoor(), make(chan struct{})
		p := between(d, deaf(dialling))
		c := d.call()
		<-dialling
		p.Cut()
		p.Heal() // too late for the one that was being made
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, p.Close())
	})
}

func TestTheEndOfOneSideIsThatOfTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, servers := newDoor(), make(chan net.Conn, 1)
		p := between(d, func(context.Context) (net.Conn, error) {
			its, server := net.Pipe()
			servers <- server
			return its, nil
		})
		c := d.call()
		server := <-servers
		require.NoError(t, c.Close())
		_, err := server.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)

		c = d.call()
		require.NoError(t, (<-servers).Close())
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, p.Close())
	})
}

// TestListen forwards over the network, which bubbles do not have.
func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		if c, err := l.Accept(); err == nil {
			echo(c)
		}
	})
	p, err := Listen(l.Addr().String())
	require.NoError(t, err)
	c, err := net.Dial("tcp", p.Address())
	require.NoError(t, err)
	_, err = fmt.Fprintln(c, "hello")
	require.NoError(t, err)
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	require.NoError(t, p.Close())
	serving.Wait() // Close has ended its connection
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
}
