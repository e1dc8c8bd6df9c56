/* edge_ptf.h: answer text with an edge-ptf package. C99 and C++.
 *
 *     edge_ptf_runner *runner = NULL;
 *     edge_ptf_result *result = NULL;
 *     if (edge_ptf_open("intents.eptf", NULL, &runner) != EDGE_PTF_OK) puts(edge_ptf_last_error());
 *     edge_ptf_result_create(runner, &result);
 *     edge_ptf_predict(runner, "turn on the lights", EDGE_PTF_TERMINATED, NULL, 0, result);
 *     puts(edge_ptf_result_label(result));
 *     edge_ptf_result_destroy(result);
 *     edge_ptf_close(runner);
 *
 * Rules, for every function here
 *   - It returns a status, or a plain value where nothing can go wrong. No exception crosses this header.
 *   - After a status other than EDGE_PTF_OK, edge_ptf_last_error() of the same thread says why, in one line.
 *   - A NULL handle is never followed: such a call is refused, or returns NULL or 0.
 *   - On failure an out parameter that receives a handle is set to NULL.
 *   - A runner may be used from many threads at once. A result may be used by one thread at a time.
 *   - Strings are UTF-8. What a function returns as const char * belongs to the handle it came from: a runner's lives
 * as long as the runner, a result's until the result is used again. A result must not outlive its runner.
 *   - Text that is not valid UTF-8 is read as if every maximal invalid part of it were U+FFFD.
 */
#ifndef EDGE_PTF_H
#define EDGE_PTF_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(EDGE_PTF_SHARED)
#if defined(EDGE_PTF_BUILDING)
#define EDGE_PTF_API __declspec(dllexport)
#else
#define EDGE_PTF_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define EDGE_PTF_API __attribute__((visibility("default")))
#else
#define EDGE_PTF_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when a function or a structure's meaning changes so that old callers break. */
#define EDGE_PTF_ABI_VERSION 1

/* The length of a text that ends with a zero byte. */
#define EDGE_PTF_TERMINATED ((size_t)-1)

/* The exit codes of the edge-ptf tools. */
typedef enum edge_ptf_status {
  EDGE_PTF_OK = 0,
  EDGE_PTF_INTERNAL = 1,   /* a fault of ours: please report it */
  EDGE_PTF_BAD_INPUT = 2,  /* wrong arguments, or no readable package */
  EDGE_PTF_FAILED = 3,     /* a package is not what its manifest says, or does not answer its golden vectors */
  EDGE_PTF_ENVIRONMENT = 5 /* no memory, no such device, an engine that is too old */
} edge_ptf_status;

typedef enum edge_ptf_kind {
  EDGE_PTF_CLASSIFICATION = 1,      /* one label for a text or a pair of texts */
  EDGE_PTF_TOKEN_CLASSIFICATION = 2 /* a tag for each word, and the entities they make up */
} edge_ptf_kind;

typedef struct edge_ptf_runner edge_ptf_runner; /* an open package */
typedef struct edge_ptf_result edge_ptf_result; /* one answer, and the memory that making it takes */

/* How a package is run. Call edge_ptf_options_init first, then change what you want; the package's own settings, which
 * come from the hardware profile, hold wherever a field keeps its initial value. */
typedef struct edge_ptf_options {
  size_t struct_size;    /* set by edge_ptf_options_init */
  int32_t threads;       /* threads of one inference; 0: the package's */
  int32_t spinning;      /* 1: threads burn time while they wait for work; 0: they sleep; -1: the package's */
  int32_t arena;         /* 1: the engine keeps memory between calls; 0: it does not; -1: the package's */
  int32_t check_digests; /* 1: compare the sha256 of everything that is used, which edge_ptf_verify does once; 0: sizes
                            only */
  const char* affinity;  /* processors of threads beyond the first, such as "2;3"; NULL: the package's */
} edge_ptf_options;

/* One entity of a token classification. Offsets are those of the text that was given; ends are exclusive. */
typedef struct edge_ptf_entity {
  const char* type;
  double score; /* the least probability among its words */
  size_t begin_byte, end_byte;
  size_t begin_character, end_character; /* counted in code points; an invalid part is one */
  size_t first_word, last_word;          /* inclusive */
} edge_ptf_entity;

/* One word of a token classification: a maximal run of characters that are not white space. */
typedef struct edge_ptf_word {
  const char* tag;
  double score; /* the tag's probability; 1 for a word that was cut off */
  size_t begin_byte, end_byte;
} edge_ptf_word;

/* Where the time of the last answer went, in nanoseconds. */
typedef struct edge_ptf_timing {
  int64_t tokenize, engine, decode;
} edge_ptf_timing;

/* What edge_ptf_selftest and edge_ptf_verify found. */
typedef struct edge_ptf_report {
  size_t struct_size;        /* set by the caller: sizeof(edge_ptf_report) */
  size_t files;              /* files whose size and sha256 are as the manifest says */
  size_t golden;             /* golden vectors answered */
  double largest_difference; /* of a golden logit, as a share of the largest logit of its text */
  double tolerance;          /* what the package allows for that text */
  int32_t exact;             /* 0: this processor does not execute the INT8 products exactly; logits were not judged */
  int32_t tokenized;         /* 0: the package has no tokenizer tables; ids were taken from the golden vectors */
} edge_ptf_report;

EDGE_PTF_API uint32_t edge_ptf_abi_version(void);
EDGE_PTF_API const char* edge_ptf_version(void);        /* of this library, "major.minor.patch" */
EDGE_PTF_API const char* edge_ptf_engine_version(void); /* such as "onnxruntime 1.32.0" */

/* Why the last call of this thread that failed did; empty if none has. Valid until the next failure of this thread. */
EDGE_PTF_API const char* edge_ptf_last_error(void);

EDGE_PTF_API void edge_ptf_options_init(edge_ptf_options* options);

/* Opens a package file or its unpacked directory. `options` may be NULL. */
EDGE_PTF_API edge_ptf_status edge_ptf_open(const char* path, const edge_ptf_options* options, edge_ptf_runner** runner);

/* Opens a package file's content, for example an Android asset. It must begin at a multiple of four bytes, and stay as
 * it is until edge_ptf_close. */
EDGE_PTF_API edge_ptf_status edge_ptf_open_memory(const void* content, size_t size, const edge_ptf_options* options,
                                                  edge_ptf_runner** runner);

/* NULL is allowed. Its results must be destroyed before. */
EDGE_PTF_API void edge_ptf_close(edge_ptf_runner* runner);

EDGE_PTF_API edge_ptf_kind edge_ptf_runner_kind(const edge_ptf_runner* runner);
EDGE_PTF_API const char* edge_ptf_runner_name(const edge_ptf_runner* runner);
EDGE_PTF_API const char* edge_ptf_runner_payload(const edge_ptf_runner* runner);  /* payload digest, 64 hex digits */
EDGE_PTF_API const char* edge_ptf_runner_manifest(const edge_ptf_runner* runner); /* manifest.json */
EDGE_PTF_API size_t edge_ptf_runner_label_count(const edge_ptf_runner* runner);
EDGE_PTF_API const char* edge_ptf_runner_label(const edge_ptf_runner* runner, size_t index); /* NULL beyond the last */
EDGE_PTF_API size_t edge_ptf_runner_max_length(const edge_ptf_runner* runner); /* tokens, special ones included */
EDGE_PTF_API int edge_ptf_runner_takes_pairs(const edge_ptf_runner* runner);
EDGE_PTF_API int edge_ptf_runner_has_tokenizer(const edge_ptf_runner* runner); /* 0: ids only */
EDGE_PTF_API int edge_ptf_runner_threads(const edge_ptf_runner* runner);

/* After a few answers of the longest text a result allocates nothing any more. */
EDGE_PTF_API edge_ptf_status edge_ptf_result_create(const edge_ptf_runner* runner, edge_ptf_result** result);
EDGE_PTF_API void edge_ptf_result_destroy(edge_ptf_result* result); /* NULL is allowed */

/* Answers a text, or a pair of texts where the package takes pairs; otherwise `pair` is NULL. Lengths are bytes. */
EDGE_PTF_API edge_ptf_status edge_ptf_predict(const edge_ptf_runner* runner, const char* text, size_t length,
                                              const char* pair, size_t pair_length, edge_ptf_result* result);

/* Only tokenizes: ids and token types can be read from the result, answers cannot. */
EDGE_PTF_API edge_ptf_status edge_ptf_tokenize(const edge_ptf_runner* runner, const char* text, size_t length,
                                               const char* pair, size_t pair_length, edge_ptf_result* result);

/* Answers token ids, special tokens included. `types` may be NULL: all 0. A token classification then has logits only.
 */
EDGE_PTF_API edge_ptf_status edge_ptf_predict_ids(const edge_ptf_runner* runner, const int64_t* ids,
                                                  const int64_t* types, size_t count, edge_ptf_result* result);

/* Before the first answer, and where an index is beyond the last: NULL, 0. */
EDGE_PTF_API const char* edge_ptf_result_label(const edge_ptf_result* result); /* classification */
EDGE_PTF_API double edge_ptf_result_score(const edge_ptf_result* result);      /* the least over words, for tags */
EDGE_PTF_API int edge_ptf_result_out_of_scope(const edge_ptf_result* result);  /* 1: the text belongs to no class */
EDGE_PTF_API size_t edge_ptf_result_class_count(const edge_ptf_result* result);
EDGE_PTF_API const char* edge_ptf_result_class(const edge_ptf_result* result, size_t rank,
                                               double* score); /* best first */
EDGE_PTF_API size_t edge_ptf_result_word_count(const edge_ptf_result* result);
EDGE_PTF_API edge_ptf_status edge_ptf_result_word(const edge_ptf_result* result, size_t index, edge_ptf_word* word);
EDGE_PTF_API size_t edge_ptf_result_entity_count(const edge_ptf_result* result);
EDGE_PTF_API edge_ptf_status edge_ptf_result_entity(const edge_ptf_result* result, size_t index,
                                                    edge_ptf_entity* entity);
EDGE_PTF_API const int64_t* edge_ptf_result_ids(const edge_ptf_result* result, size_t* count);
EDGE_PTF_API const int64_t* edge_ptf_result_types(const edge_ptf_result* result, size_t* count);
EDGE_PTF_API const float* edge_ptf_result_logits(const edge_ptf_result* result, size_t* rows, size_t* columns);
EDGE_PTF_API edge_ptf_timing edge_ptf_result_timing(const edge_ptf_result* result);

/* Answers the golden vectors. EDGE_PTF_FAILED: an id or a logit is not what it must be. `report` may be NULL. */
EDGE_PTF_API edge_ptf_status edge_ptf_selftest(const edge_ptf_runner* runner, edge_ptf_report* report);

/* Checks the size and sha256 of every file of a package, then its golden vectors: what an installer does once. */
EDGE_PTF_API edge_ptf_status edge_ptf_verify(const char* path, const edge_ptf_options* options,
                                             edge_ptf_report* report);

#ifdef __cplusplus
}
#endif

#endif
