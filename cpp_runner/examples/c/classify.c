/* Prints the class of each text, in C99:
 *
 *     classify intents.eptf "turn on the lights" "play some jazz"
 */
#include <stdio.h>
#include <string.h>

#include "edge_ptf.h"

int main(int count, char** arguments) {
  edge_ptf_runner* runner = NULL;
  edge_ptf_result* result = NULL;
  edge_ptf_head head = {0};
  edge_ptf_status status = EDGE_PTF_OK;
  if (count < 3) {
    fprintf(stderr, "Usage: classify PACKAGE TEXT...\n");
    return EDGE_PTF_BAD_INPUT;
  }

  /* Each call runs only if the call before succeeded. NULL: the settings of the package. */
  status = edge_ptf_open(arguments[1], NULL, &runner);
  if (status == EDGE_PTF_OK) {
    head.struct_size = sizeof head;
    status = edge_ptf_runner_head(runner, 0, &head);
  }
  if (status == EDGE_PTF_OK && strcmp(head.kind, "text") != 0) {
    fprintf(stderr, "classify: %s: the package does not classify texts (its task is %s)\n", arguments[1], head.task);
    edge_ptf_close(runner);
    return EDGE_PTF_BAD_INPUT;
  }
  if (status == EDGE_PTF_OK) {
    status = edge_ptf_result_create(runner, &result);
  }
  for (int i = 2; i < count && status == EDGE_PTF_OK; ++i) {
    status = edge_ptf_predict(result, arguments[i], EDGE_PTF_TERMINATED, NULL, 0);
    if (status == EDGE_PTF_OK) {
      /* The label is valid until the result is used again. Copy it to keep it. */
      printf("%s\t%.3f\t%s\n", edge_ptf_result_label(result, 0), edge_ptf_result_score(result, 0), arguments[i]);
    }
  }

  /* The reason of the last failure on this thread. Both functions that free memory accept NULL. */
  if (status != EDGE_PTF_OK) {
    fprintf(stderr, "classify: %s\n", edge_ptf_last_error());
  }
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  return (int)status;
}
