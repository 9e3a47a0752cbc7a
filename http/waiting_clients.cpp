#include "http/waiting_clients.h"

#include <sys/socket.h>

namespace http {

bool WaitingClients::give_up_first() {
  const WaitingClient* client = clients_.pop_front();
  if (client == nullptr) return false;
  shutdown(client->fd_, SHUT_RDWR);
  return true;
}

}  // namespace http
