/* A typical app: opens a package, answers texts, and times its calls of
 * edge_ptf_predict.
 *
 *     app PACKAGE TEXTS CALLS    TEXTS: one text on each line; CALLS: number
 * of timed calls after the first answer and the warm-up, which has as many
 *
 * Prints one JSON object: the time of the first answer (CLOCK_MONOTONIC), its
 * best class, the peak resident memory, and the duration of each call.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "edge_ptf.h"

static int64_t now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static long peak_kb(void) {
  char line[256];
  long found = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL) {
    if (strncmp(line, "VmHWM:", 6) == 0) {
      found = strtol(line + 6, NULL, 10);
    }
  }
  if (status != NULL) {
    (void)fclose(status);
  }
  return found;
}

static char *read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  char *content = NULL;
  long size = 0;
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 ||
      (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0 ||
      (content = malloc((size_t)size + 1)) == NULL ||
      fread(content, 1, (size_t)size, file) != (size_t)size) {
    (void)fprintf(stderr, "app: %s: cannot be read\n", path);
    exit(EDGE_PTF_BAD_INPUT);
  }
  (void)fclose(file);
  content[size] = '\0';
  return content;
}

/* Ends the lines with zero bytes. Returns their beginnings. */
static const char **lines_of(char *content, size_t *count) {
  size_t room = 1;
  for (const char *at = content; *at != '\0'; ++at) {
    room += *at == '\n';
  }
  const char **lines = malloc(room * sizeof *lines);
  *count = 0;
  for (char *line = strtok(content, "\n"); line != NULL && lines != NULL;
       line = strtok(NULL, "\n")) {
    lines[(*count)++] = line;
  }
  if (*count == 0) {
    (void)fprintf(stderr, "app: no text\n");
    exit(EDGE_PTF_BAD_INPUT);
  }
  return lines;
}

static void need(edge_ptf_status status) {
  if (status != EDGE_PTF_OK) {
    (void)fprintf(stderr, "app: %s\n", edge_ptf_last_error());
    exit((int)status);
  }
}

int main(int argument_count, char **arguments) {
  edge_ptf_runner *runner = NULL;
  edge_ptf_result *result = NULL;
  size_t count = 0;
  size_t size = 1;
  size_t best = 0;
  edge_ptf_tensor logits = {0};
  if (argument_count != 4) {
    (void)fprintf(stderr, "Usage: app PACKAGE TEXTS CALLS\n");
    return EDGE_PTF_BAD_INPUT;
  }
  char *content = read_all(arguments[2]);
  const char **texts = lines_of(content, &count);
  const long calls = strtol(arguments[3], NULL, 10);

  need(edge_ptf_open(arguments[1], NULL, &runner));
  need(edge_ptf_result_create(runner, &result));
  need(edge_ptf_predict(result, texts[0], EDGE_PTF_TERMINATED, NULL, 0));
  const int64_t first = now();
  logits.struct_size = sizeof logits;
  need(edge_ptf_result_tensor(result, 0, "logits", &logits));
  for (size_t axis = 0; axis < logits.rank; ++axis) {
    size *= logits.shape[axis];
  }
  for (size_t i = 0; i < size; ++i) {
    best = logits.values[i] > logits.values[best] ? i : best;
  }
  (void)printf("{\"first_ns\": %" PRId64 ", \"best\": %zu, \"times_ns\": [",
               first, best);

  for (long i = 0; i < 2 * calls; ++i) {
    const char *text = texts[(size_t)i % count];
    const int64_t begin = now();
    need(edge_ptf_predict(result, text, EDGE_PTF_TERMINATED, NULL, 0));
    const int64_t end = now();
    if (i >= calls) {
      (void)printf("%s%" PRId64, i == calls ? "" : ", ", end - begin);
    }
  }
  (void)printf("], \"peak_kb\": %ld}\n", peak_kb());
  edge_ptf_result_destroy(result);
  edge_ptf_close(runner);
  free(texts);
  free(content);
  return EDGE_PTF_OK;
}
