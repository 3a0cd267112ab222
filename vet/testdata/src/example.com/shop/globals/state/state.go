// Package state has a variable.
package state

var Open bool
