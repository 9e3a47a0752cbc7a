#include "bench/operator_calls.h"

#include "base/strings.h"
#include "http/chunk.h"
#include "http/recordio.h"
#include "proto/json_write.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;
using mesos::v1::CommandInfo;
using mesos::v1::Resource;

namespace {

CommandInfo command_of(const std::vector<std::string>& argv) {
  CommandInfo command;
  command.set_shell(false);
  command.set_value(argv.front());
  for (const auto& argument : argv) command.add_arguments(argument);
  return command;
}

void add_scalar(const char* name, double value, Call::LaunchContainer* launch) {
  Resource* resource = launch->add_resources();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(value);
}

Call launch_with_resources(const ContainerID& id, const std::vector<std::string>& argv,
                           double megabytes = kMegabytes) {
  Call call;
  call.set_type(Call::LAUNCH_CONTAINER);
  auto* launch = call.mutable_launch_container();
  *launch->mutable_container_id() = id;
  *launch->mutable_command() = command_of(argv);
  add_scalar("cpus", 1, launch);
  add_scalar("mem", megabytes, launch);
  return call;
}

const char* media_type(Encoding encoding) {
  return encoding == Encoding::kJson ? "application/json" : "application/x-protobuf";
}

// One chunk with one RecordIO record.
std::string chunk_of(const Call& call) {
  std::string record;
  http::append_record(call.SerializeAsString(), &record);
  std::string chunk;
  http::append_chunk(record, &chunk);
  return chunk;
}

}  // namespace

ContainerID root_id(const std::string& name) {
  ContainerID id;
  id.set_value(name);
  return id;
}

ContainerID child_id(const ContainerID& parent, const std::string& name) {
  ContainerID id = root_id(name);
  *id.mutable_parent() = parent;
  return id;
}

Call launch_root(const ContainerID& id, const std::vector<std::string>& argv, bool attachable,
                 double megabytes) {
  Call call = launch_with_resources(id, argv, megabytes);
  if (!attachable) return call;
  auto* variable =
      call.mutable_launch_container()->mutable_command()->mutable_environment()->add_variables();
  variable->set_name("MESOS_CONTAINER_ATTACHABLE");
  variable->set_value("true");
  return call;
}

Call launch_child(const ContainerID& id, const std::vector<std::string>& argv, Groups groups) {
  if (groups == Groups::kOwn) {
    Call call = launch_with_resources(id, argv);
    auto* container = call.mutable_launch_container()->mutable_container();
    container->set_type(mesos::v1::ContainerInfo::MESOS);
    container->mutable_linux_info()->set_share_cgroups(false);
    return call;
  }
  Call call;
  call.set_type(Call::LAUNCH_NESTED_CONTAINER);
  auto* launch = call.mutable_launch_nested_container();
  *launch->mutable_container_id() = id;
  *launch->mutable_command() = command_of(argv);
  return call;
}

Call launch_session(const ContainerID& id, const std::vector<std::string>& argv, bool tty) {
  Call call;
  call.set_type(Call::LAUNCH_NESTED_CONTAINER_SESSION);
  auto* launch = call.mutable_launch_nested_container_session();
  *launch->mutable_container_id() = id;
  *launch->mutable_command() = command_of(argv);
  if (tty) {
    launch->mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
    launch->mutable_container()->mutable_tty_info();
  }
  return call;
}

Call wait_for(const ContainerID& id) {
  Call call;
  if (id.has_parent()) {
    call.set_type(Call::WAIT_NESTED_CONTAINER);
    *call.mutable_wait_nested_container()->mutable_container_id() = id;
  } else {
    call.set_type(Call::WAIT_CONTAINER);
    *call.mutable_wait_container()->mutable_container_id() = id;
  }
  return call;
}

Call kill(const ContainerID& id) {
  Call call;
  call.set_type(Call::KILL_CONTAINER);
  *call.mutable_kill_container()->mutable_container_id() = id;
  return call;
}

Call remove(const ContainerID& id) {
  Call call;
  call.set_type(Call::REMOVE_CONTAINER);
  *call.mutable_remove_container()->mutable_container_id() = id;
  return call;
}

Call get_containers() {
  Call call;
  call.set_type(Call::GET_CONTAINERS);
  call.mutable_get_containers()->set_show_nested(true);
  call.mutable_get_containers()->set_show_standalone(true);
  return call;
}

Call get_state() {
  Call call;
  call.set_type(Call::GET_STATE);
  return call;
}

Call get_health() {
  Call call;
  call.set_type(Call::GET_HEALTH);
  return call;
}

std::string request(const Call& call, Encoding encoding) {
  std::string body;
  if (encoding == Encoding::kJson) {
    proto::append_json(call, &body);
  } else {
    body = call.SerializeAsString();
  }
  const bool streams = call.type() == Call::LAUNCH_NESTED_CONTAINER_SESSION;
  const std::string accept =
      streams ? concat("application/recordio\r\nMessage-Accept: ", media_type(encoding))
              : media_type(encoding);
  return concat("POST /api/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: ", media_type(encoding),
                "\r\nAccept: ", accept, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

std::string attach_input_head() {
  return "POST /api/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/recordio\r\n"
         "Message-Content-Type: application/x-protobuf\r\nAccept: application/json\r\n"
         "Transfer-Encoding: chunked\r\n\r\n";
}

std::string input_id_chunk(const ContainerID& id) {
  Call call;
  call.set_type(Call::ATTACH_CONTAINER_INPUT);
  auto* input = call.mutable_attach_container_input();
  input->set_type(Call::AttachContainerInput::CONTAINER_ID);
  *input->mutable_container_id() = id;
  return chunk_of(call);
}

std::string input_data_chunk(std::string_view data) {
  using mesos::v1::agent::ProcessIO;
  Call call;
  call.set_type(Call::ATTACH_CONTAINER_INPUT);
  auto* input = call.mutable_attach_container_input();
  input->set_type(Call::AttachContainerInput::PROCESS_IO);
  input->mutable_process_io()->set_type(ProcessIO::DATA);
  input->mutable_process_io()->mutable_data()->set_type(ProcessIO::Data::STDIN);
  input->mutable_process_io()->mutable_data()->set_data(std::string(data));
  return chunk_of(call);
}

Result<std::string> perform(Client& client, std::string_view request) {
  TRY(Reply reply, client.exchange(request));
  if (reply.status == 200) return std::move(reply.body);
  return base::fail(concat("The agent answers ", reply.status, ": ", reply.body));
}

Status perform(Client& client, const Call& call) {
  TRY_VOID(perform(client, request(call)));
  return {};
}

Status expect_success(std::string_view wait_reply) {
  if (wait_reply.find("\"exit_status\":0") != std::string_view::npos) return {};
  return base::fail(concat("A container that should end well does not: ", wait_reply));
}

Status discard(Client& client, const ContainerID& id) {
  TRY_VOID(perform(client, kill(id)));
  TRY_VOID(perform(client, wait_for(id)));
  return perform(client, remove(id));
}

}  // namespace bench
