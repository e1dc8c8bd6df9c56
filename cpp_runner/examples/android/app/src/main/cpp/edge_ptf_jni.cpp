// The natives of Runner.kt. Nothing here is Android's own, so a desktop's Java runs it too.
//
// Text goes both ways as UTF-8 in byte arrays: the strings of JNI are in a "modified UTF-8" that writes an emoji and a
// zero byte otherwise, and its functions must not be given anything else.
#include <jni.h>

#include <array>
#include <cstring>
#include <new>

#include "edge_ptf.h"

namespace {

// What a Runner of Kotlin holds. That class lets one thread in at a time, so one result is enough.
struct Session {
  edge_ptf_runner* runner = nullptr;
  edge_ptf_result* result = nullptr;

  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    edge_ptf_result_destroy(result);
    edge_ptf_close(runner);
  }
};

Session& at(jlong handle) {
  return *reinterpret_cast<Session*>(handle);  // NOLINT(performance-no-int-to-ptr): Java keeps a pointer as a long
}

void raise(JNIEnv* env, const char* type, const char* message) {
  // See above for why a message is cut down to ASCII.
  std::array<char, 400> plain{};
  for (size_t i = 0; i + 1 < plain.size() && message[i] != '\0'; ++i) {
    plain[i] = static_cast<signed char>(message[i]) < 0 ? '?' : message[i];
  }
  if (jclass found = env->FindClass(type)) {
    env->ThrowNew(found, plain.data());
  }
}

// Whether it is; otherwise Java throws as soon as the native returns.
bool is_ok(JNIEnv* env, edge_ptf_status status) {
  if (status != EDGE_PTF_OK) {
    raise(env, status == EDGE_PTF_BAD_INPUT ? "java/lang/IllegalArgumentException" : "java/lang/IllegalStateException",
          edge_ptf_last_error());
  }
  return status == EDGE_PTF_OK;
}

jbyteArray utf8(JNIEnv* env, const char* text) {
  if (text == nullptr) {
    return nullptr;
  }
  const auto length = static_cast<jsize>(std::strlen(text));
  jbyteArray made = env->NewByteArray(length);
  if (made != nullptr) {
    env->SetByteArrayRegion(made, 0, length, reinterpret_cast<const jbyte*>(text));
  }
  return made;
}

edge_ptf_entity entity(JNIEnv* env, jlong handle, jint index) {
  edge_ptf_entity found{};
  is_ok(env, edge_ptf_result_entity(at(handle).result, static_cast<size_t>(index), &found));
  return found;
}

}  // namespace

extern "C" {

JNIEXPORT jlong JNICALL Java_edgeptf_Runner_nativeOpen(JNIEnv* env, jobject, jobject content, jint threads) {
  const void* start = env->GetDirectBufferAddress(content);
  if (start == nullptr) {
    raise(env, "java/lang/IllegalArgumentException", "the package is not in a direct buffer: map its file");
    return 0;
  }
  auto* session = new (std::nothrow) Session;
  if (session == nullptr) {
    raise(env, "java/lang/OutOfMemoryError", "no memory left");
    return 0;
  }
  edge_ptf_options options;
  edge_ptf_options_init(&options);
  options.threads = threads;
  const auto size = static_cast<size_t>(env->GetDirectBufferCapacity(content));
  if (!is_ok(env, edge_ptf_open_memory(start, size, &options, &session->runner)) ||
      !is_ok(env, edge_ptf_result_create(session->runner, &session->result))) {
    delete session;
    return 0;
  }
  return reinterpret_cast<jlong>(session);
}

JNIEXPORT void JNICALL Java_edgeptf_Runner_nativeClose(JNIEnv*, jobject, jlong handle) {
  delete &at(handle);
}

JNIEXPORT void JNICALL Java_edgeptf_Runner_nativeAsk(JNIEnv* env, jobject, jlong handle, jbyteArray text) {
  jbyte* bytes = env->GetByteArrayElements(text, nullptr);
  if (bytes == nullptr) {
    return;  // no memory; Java throws
  }
  const Session& session = at(handle);
  const auto length = static_cast<size_t>(env->GetArrayLength(text));
  const edge_ptf_status status =
      edge_ptf_predict(session.runner, reinterpret_cast<const char*>(bytes), length, nullptr, 0, session.result);
  env->ReleaseByteArrayElements(text, bytes, JNI_ABORT);  // it was only read
  is_ok(env, status);
}

JNIEXPORT jbyteArray JNICALL Java_edgeptf_Runner_nativeLabel(JNIEnv* env, jobject, jlong handle) {
  return utf8(env, edge_ptf_result_label(at(handle).result));
}

JNIEXPORT jdouble JNICALL Java_edgeptf_Runner_nativeScore(JNIEnv*, jobject, jlong handle) {
  return edge_ptf_result_score(at(handle).result);
}

JNIEXPORT jboolean JNICALL Java_edgeptf_Runner_nativeOutOfScope(JNIEnv*, jobject, jlong handle) {
  return edge_ptf_result_out_of_scope(at(handle).result) != 0 ? JNI_TRUE : JNI_FALSE;
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeEntityCount(JNIEnv*, jobject, jlong handle) {
  return static_cast<jint>(edge_ptf_result_entity_count(at(handle).result));
}

JNIEXPORT jbyteArray JNICALL Java_edgeptf_Runner_nativeEntityType(JNIEnv* env, jobject, jlong handle, jint index) {
  return utf8(env, entity(env, handle, index).type);
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeEntityBegin(JNIEnv* env, jobject, jlong handle, jint index) {
  return static_cast<jint>(entity(env, handle, index).begin_byte);
}

JNIEXPORT jint JNICALL Java_edgeptf_Runner_nativeEntityEnd(JNIEnv* env, jobject, jlong handle, jint index) {
  return static_cast<jint>(entity(env, handle, index).end_byte);
}

JNIEXPORT jdouble JNICALL Java_edgeptf_Runner_nativeEntityScore(JNIEnv* env, jobject, jlong handle, jint index) {
  return entity(env, handle, index).score;
}

}  // extern "C"
