/* Which class each text belongs to, in C99:
 *
 *     classify intents.eptf "turn on the lights" "play some jazz"
 */
#include <stdio.h>

#include "edge_ptf.h"

int main(int count, char** arguments) {
  edge_ptf_runner* runner = NULL;
  edge_ptf_result* result = NULL;
  edge_ptf_status status = EDGE_PTF_OK;
  if (count < 3) {
    fprintf(stderr, "Usage: classify PACKAGE TEXT...\n");
    return EDGE_PTF_BAD_INPUT;
  }

  /* One chain of calls, each made only if all before it went well; NULL: the package's own settings. */
  status = edge_ptf_open(arguments[1], NULL, &runner);
  if (status == EDGE_PTF_OK && edge_ptf_runner_kind(runner) != EDGE_PTF_CLASSIFICATION) {
    fprintf(stderr, "classify: %s: tags words, and has no classes for a text\n", arguments[1]);
    edge_ptf_close(runner);
    return EDGE_PTF_BAD_INPUT;
  }
  if (status == EDGE_PTF_OK) {
    status = edge_ptf_result_create(runner, &result);
  }
  for (int i = 2; i < count && status == EDGE_PTF_OK; ++i) {
    status = edge_ptf_predict(runner, arguments[i], EDGE_PTF_TERMINATED, NULL, 0, result);
    if (status == EDGE_PTF_OK) {
      /* The label belongs to the result until it is used again: copy what must live longer. */
      printf("%s\t%.3f\t%s\n", edge_ptf_result_label(result), edge_ptf_result_score(result), arguments[i]);
    }
  }

  /* The reason is that of this thread's last call that failed. Both ends take NULL; the result goes first. */
  if (status != EDGE_PTF_OK) {
    fprintf(stderr, "classify: %s\n", edge_ptf_last_error());
  }
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  return (int)status;
}
