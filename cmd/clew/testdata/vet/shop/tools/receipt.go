// Package tools is shared by workflows and others.
package tools

import "time"

// Receipt is a number for a receipt.
func Receipt() string { return number() + "/1" }

func number() string { return time.Now().Format("20060102150405") }
