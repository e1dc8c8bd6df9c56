// The intent and the entities of commands, with two packages and several threads, in C++17:
//
//     understand intents.eptf entities.eptf "set a timer for ten minutes" "call Anna"
//
// All threads share a Runner. An Answer holds the memory of one answer, so each thread has its own.
#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "edge_ptf.hpp"

namespace {

// "intent <tab> TYPE=words, TYPE=words <tab> text". The strings of an Answer are valid until its next use, so they are
// copied.
std::string understood(edge_ptf::Answer& intent, edge_ptf::Answer& entities, std::string_view text) {
  std::string line(intent.ask(text).label());
  line += '\t';
  const char* separator = "";
  for (const edge_ptf_item& entity : entities.ask(text).answers()) {
    // Positions in bytes. begin_character and end_character are the same in code points.
    line.append(separator).append(entity.label).append("=");
    line.append(text.substr(entity.begin_byte, entity.end_byte - entity.begin_byte));
    separator = ", ";
  }
  return line.append("\t").append(text);
}

void run(const std::string& intents_path, const std::string& entities_path, const std::vector<std::string>& texts) {
  const edge_ptf::Runner intents(intents_path);
  const edge_ptf::Runner entities(entities_path);
  if (std::string_view(intents.head().kind) != "text" || std::string_view(entities.head().kind) != "token") {
    throw edge_ptf::Failure(EDGE_PTF_BAD_INPUT, "give a package that classifies, then one that tags words");
  }

  std::vector<std::string> lines(texts.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    edge_ptf::Answer intent(intents);
    edge_ptf::Answer tags(entities);
    for (size_t i = next++; i < texts.size(); i = next++) {
      lines[i] = understood(intent, tags, texts[i]);
    }
  };
  const size_t processors = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::future<void>> workers;
  for (size_t i = 0; i < std::min(processors, texts.size()); ++i) {
    workers.push_back(std::async(std::launch::async, work));
  }
  for (std::future<void>& worker : workers) {
    worker.get();  // rethrows the exception of a thread
  }
  for (const std::string& line : lines) {
    std::cout << line << '\n';
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    std::cerr << "Usage: understand INTENTS ENTITIES TEXT...\n";
    return EDGE_PTF_BAD_INPUT;
  }
  try {
    run(arguments[1], arguments[2], {arguments + 3, arguments + count});
    return EDGE_PTF_OK;
  } catch (const edge_ptf::Failure& failure) {
    std::cerr << "understand: " << failure.what() << '\n';
    return failure.status();
  } catch (const std::exception& error) {
    std::cerr << "understand: " << error.what() << '\n';
    return EDGE_PTF_INTERNAL;
  }
}
