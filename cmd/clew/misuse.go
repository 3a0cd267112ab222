package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// usageError says that a command was called wrongly.
type usageError struct {
	error
	cmd *cobra.Command
}

func (e *usageError) Unwrap() error { return e.error }

// brief is the text of an error as one harmless line, in which clew is named by whoever prints it.
func brief(err error) string {
	return strings.ReplaceAll(oneLine(strings.TrimPrefix(err.Error(), "clew: ")), ": clew: ", ": ")
}

// misusedFlag says of a flag that was given wrongly what is wanted instead.
func misusedFlag(cmd *cobra.Command, err error) error {
	text := err.Error()
	number := (*strconv.NumError)(nil)
	if errors.As(err, &number) {
		want := map[string]string{"ParseUint": "a whole number from 0 on", "ParseInt": "a whole number", "ParseFloat": "a number", "ParseBool": "true or false"}[number.Func]
		text = strings.TrimSuffix(text, number.Error()) + "want " + want
	}
	if before, _, found := strings.Cut(text, ": time: "); found {
		text = before + ": want a duration, such as 90s or 1h30m"
	}
	if strings.HasPrefix(text, "unknown shorthand flag") {
		text += `; what begins with a minus and is no flag stands behind "--"`
	}
	return &usageError{errors.New(text), cmd}
}

// below are the arguments of a command that has others below it: none, as those others are found by their names.
func below(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	path := strings.Join(append(strings.Fields(cmd.CommandPath())[1:], args[0]), " ")
	return fmt.Errorf("there is no command %q%s", path, meant(cmd, args[0]))
}

// meant asks whether one of the commands below is meant by a name that none has; empty if none is like it.
func meant(cmd *cobra.Command, name string) string {
	cmd.SuggestionsMinimumDistance = 1 + len(name)/5
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		return ": did you mean " + strings.Join(like, " or ") + "?"
	}
	return ""
}
