/* An example: run the model once on inputs of zero points. */
#include <stdio.h>
#include <string.h>

#include "model.h"

int main(void)
{
    model_reset();
    memset(model_input(0), -4, MODEL_INPUT_0_BYTES);
    model_invoke();
    {
        const int8_t *output = model_output(0);
        for (int i = 0; i < MODEL_OUTPUT_0_BYTES && i < 16; ++i) {
            printf("%d\n", output[i]);
        }
    }
    return 0;
}
