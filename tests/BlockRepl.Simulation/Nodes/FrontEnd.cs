using BlockRepl.Core;
using BlockRepl.Simulation.Checks;

namespace BlockRepl.Simulation.Nodes;

/// <summary>A request of the application that was not answered yet.</summary>
public sealed class AppRequest(RequestKind kind, int volume, ulong sector, int byteCount)
{
    public RequestKind Kind { get; } = kind;

    public int Volume { get; } = volume;

    public ulong Sector { get; } = sector;

    public int ByteCount { get; } = byteCount;

    public BufferHandle Buffer { get; init; }

    public bool ForceUnitAccess { get; init; }

    public AppWrite? Write { get; set; }

    public CandidateSet[] Before { get; set; } = [];

    public long Submitted { get; set; }

    /// <summary>The core started it on the node's disk.</summary>
    public bool OnDisk { get; set; }

    public long SubmittedNs { get; init; }

    public Action<RequestError>? Done { get; init; }

    public ulong Sectors => (ulong)ByteCount / 512;

    public override string ToString() => $"{Kind} {Volume}:{Sector}+{Sectors}";
}

/// <summary>The application of one node: it submits requests and judges the answers.</summary>
public sealed class FrontEnd(SimCluster cluster, SimNode node)
{
    private readonly SortedDictionary<ulong, AppRequest> _running = [];
    private ulong _nextToken = 1;

    public int RunningCount => _running.Count;

    public IEnumerable<AppRequest> Running => _running.Values;

    public long Answered { get; private set; }

    public long Failed { get; private set; }

    /// <summary>Submits a request; <paramref name="done"/> is told of its outcome.</summary>
    public void Submit(
        RequestKind kind, int volume, ulong sector, int byteCount, bool forceUnitAccess = false,
        Action<RequestError>? done = null)
    {
        SimHost host = node.RunningHost;
        bool hasBuffer = kind is RequestKind.Read or RequestKind.Write;
        AppRequest request = new(kind, volume, sector, byteCount)
        {
            Buffer = hasBuffer ? host.Buffers.Rent(byteCount, byCore: false) : BufferHandle.None,
            ForceUnitAccess = forceUnitAccess,
            SubmittedNs = cluster.Queue.NowNs,
            Done = done,
        };
        Begin(host, request);
        ulong token = _nextToken++;
        _running.Add(token, request);
        host.Note(TraceKind.Request, token, request.Sector, () => $"submit {token}: {request} {request.Write}");
        host.Deliver(core => core.OnRequest(
            host.NowNs,
            volume,
            new FrontEndRequest(kind, sector, byteCount, request.Buffer, forceUnitAccess, new FrontEndToken(token))));
    }

    public void OnCompleted(FrontEndToken token, RequestError error)
    {
        if (!_running.Remove(token.Value, out AppRequest? request))
        {
            throw new SimulationException($"request {token.Value} was answered twice, or never asked");
        }

        SimHost host = node.RunningHost;
        host.Note(TraceKind.Request, token.Value, (ulong)error, () => $"answer {token.Value}: {request} {error}");
        Answered++;
        Failed += error == RequestError.None ? 0 : 1;
        End(host, request, error);
        request.Done?.Invoke(error);
    }

    /// <summary>
    /// The running write (or zeroing) that the core starts on the disk now; null if it is not the application's.
    /// </summary>
    public AppWrite? FindStarting(int volume, ulong sector, int byteCount)
    {
        foreach (AppRequest request in _running.Values)
        {
            bool same = request.Volume == volume && request.Sector == sector && request.ByteCount == byteCount;
            if (same && request.Write is not null && !request.OnDisk)
            {
                request.OnDisk = true;
                return request.Write;
            }
        }

        return null;
    }

    /// <summary>The token of the running write that has this buffer; null if there is none.</summary>
    public ulong? FindWrite(BufferHandle buffer)
    {
        foreach ((ulong token, AppRequest request) in _running)
        {
            if (request.Kind == RequestKind.Write && request.Buffer == buffer)
            {
                return token;
            }
        }

        return null;
    }

    /// <summary>The node crashed: what was running is uncertain from now on.</summary>
    public void Crash()
    {
        foreach (AppRequest request in _running.Values)
        {
            if (request.Write is not null)
            {
                request.Write.Done = cluster.Content.NextMoment();
            }
        }

        _running.Clear();
    }

    private void Begin(SimHost host, AppRequest request)
    {
        ContentChecker content = cluster.Content;
        switch (request.Kind)
        {
            case RequestKind.Read:
                request.Before = content.BeginRead(node.Index, request.Volume, request.Sector, request.Sectors);
                request.Submitted = content.NextMoment();
                break;
            case RequestKind.Write:
                request.Write =
                    content.Begin(node.Index, request.Volume, WriteContent.Pattern, request.Sector, request.Sectors);
                Pattern.Fill(
                    host.Buffers.Bytes(request.Buffer).AsSpan(0, request.ByteCount),
                    request.Write.Id,
                    request.Volume,
                    request.Sector);
                break;
            case RequestKind.Flush:
                request.Submitted = content.NextMoment();
                break;
            default:
                WriteContent left = request.Kind == RequestKind.Discard ? WriteContent.Anything : WriteContent.Zero;
                request.Write = content.Begin(node.Index, request.Volume, left, request.Sector, request.Sectors);
                break;
        }
    }

    private void End(SimHost host, AppRequest request, RequestError error)
    {
        ContentChecker content = cluster.Content;
        bool ok = error == RequestError.None;
        if (request.Write is not null)
        {
            cluster.Currency.OnWriteAnswered(node, request.Volume, ok);
            content.End(request.Write, node.Index, request.Sector, request.Sectors, ok, request.ForceUnitAccess);
        }
        else if (request.Kind == RequestKind.Flush && ok)
        {
            content.Flushed(node.Index, request.Volume, request.Submitted);
        }
        else if (request.Kind == RequestKind.Read)
        {
            if (ok)
            {
                ReadOnlySpan<byte> data = host.Buffers.Bytes(request.Buffer).AsSpan(0, request.ByteCount);
                content.EndRead(node.Index, request.Volume, request.Sector, data, request.Before, request.Submitted);
            }

            host.Buffers.Release(request.Buffer);
        }
    }
}
