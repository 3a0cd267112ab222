// Package uuid has the shape of the real one.
package uuid

type UUID [16]byte

func (u UUID) String() string { return "" }

func New() UUID                               { return UUID{} }
func NewString() string                       { return "" }
func NewV7() (UUID, error)                    { return UUID{}, nil }
func NewSHA1(space UUID, data []byte) UUID    { return space }
func Parse(s string) (UUID, error)            { return UUID{}, nil }
func Must(u UUID, err error) UUID             { return u }
func NewMD5(space UUID, data []byte) UUID     { return space }
func NewRandomFromReader(r any) (UUID, error) { return UUID{}, nil }
