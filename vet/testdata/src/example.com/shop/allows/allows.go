// Package allows allows.
package allows

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/workflow"
)

func W(ctx workflow.Context) {
	_ = time.Now() //clew:allow it is only logged
	//clew:allow it is only logged
	_ = time.Now()
	_ = time.Now() //clew:allow // want `^//clew:allow says no reason; write it behind`
	_ = time.Now() //clew:allowed is another word // want `^time.Now `
	_ = 1          //clew:allow nothing is wrong // want `^//clew:allow allows nothing here; remove it$`
	_ = time.Now() // want `^time.Now `
	//clew:allow two at once
	fmt.Println(time.Now())
	_ = look()     //clew:allow what look does is only logged
	_ = 2          // clew:allow is not a directive
	_ = time.Now() // want `^time.Now `
}

func look() time.Time { return time.Now() } // want look:`time.Now`

func body() {
	time.Sleep(1) //clew:allow a workflow could call this
}
