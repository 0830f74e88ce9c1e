using System.Net;
using BlockRepl.Administration;

namespace BlockRepl.Daemon.Hosting;

/// <summary>What the command line said.</summary>
/// <param name="Location">Configuration, name and run directory of the node.</param>
/// <param name="NbdTcp">Where NBD is served on TCP; null = only on the Unix socket.</param>
internal sealed record DaemonOptions(NodeLocation Location, IPEndPoint? NbdTcp);
