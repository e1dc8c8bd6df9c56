import pytest, time
from edge_ptf.export import *
from edge_ptf.compression import *
import numpy as np
@pytest.mark.parametrize("task",["text-classification","token-classification"])
@pytest.mark.parametrize("family",["bert","distilbert","roberta","xlm-roberta","electra","albert"])
def test_x(family,task,tiny_teacher,tiny_data,tmp_path):
    d=tiny_data(task); print(len(d.train),len(d.validation),len(d.test))
    t=time.time(); c=tiny_teacher(family,task); print(c.info.lineage[-1].notes, time.time()-t)
    t=time.time(); s=prune(c,d,PruneConfig(heads=(1,0,3),ffn=(0,0.5,0.7),skip_unsupported=True),tmp_path/"p"); print(s.info.layers,s.info.lineage[-1].notes, time.time()-t)
    t=time.time(); g=export(s,d,ExportConfig(),tmp_path/"g"); print(g.info.parity_max_difference,g.info.nodes, time.time()-t)
    for m in ("dynamic","static"):
        t=time.time(); q=quantize(g,d,QuantizeConfig(mode=m),tmp_path/m); print(m,q.info.nodes,q.info.lineage[-1].notes, time.time()-t)
